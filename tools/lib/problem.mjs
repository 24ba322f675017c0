/** Something the person at the keyboard can mend: printed as a sentence, without a stack. */
export class Problem extends Error {
  /** @param {string} message @param {number} [exitCode] what the tool exits with; default 1 */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a tool's main function; prints a `Problem` plainly, anything else with its stack, and sets the exit code. */
export async function runTool(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Problem ? `\n${error.message}` : error);
    process.exitCode = error instanceof Problem ? error.exitCode : 1;
  }
}
