/** A command: answers its exit code, 2 where it was not asked well. */
export interface Command {
  /** What stands after its name. */
  usage: string;
  about: string;
  run(args: string[]): Promise<number>;
}

/** A line for who asked. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A line about trouble. */
export function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}
