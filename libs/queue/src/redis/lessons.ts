import { Redis } from 'ioredis';
import { atOnce } from './blocking.js';
import type { Client } from './connection.js';
import { functionCall, functionLibrary, functionLibraries } from './functions.js';
import { isRefusal, isRefusedCommand, isUnknownScript } from './redis-errors.js';
import type { Script } from './scripts.generated.js';

/** How a script is named to Redis. */
export type Call = readonly [name: 'FCALL' | 'EVALSHA', script: string];

/** How long a lesson is remembered. On a cluster, calls that were sent before it may hear after it that they failed. */
const KNOWN_MS = 1_000;

/** A rolling deploy has two versions at work, a rollback another; those before these are forgotten. */
const VERSIONS_KEPT = 3;

interface Lesson {
  taught: Promise<void>;
  /** Calls sent before this need no other. */
  endedAtMs: number;
}

/**
 * Teaches Redis our scripts when it does not know them. As functions, since of those it keeps what a script makes anew
 * at each call: its helpers, 30 of a single lease's 190 us (docs/decisions/0022). A server that refuses functions, by an
 * ACL or for want of memory, gets scripts by digest from then on.
 */
export class Lessons {
  private functions = true;

  /** Those under way or just ended, by script and server. */
  private readonly lessons = new Map<string, Lesson>();

  constructor(private readonly client: Client) {}

  /** How to call the script now. */
  callOf(script: Script<string>): Call {
    return this.functions ? ['FCALL', functionCall(script)] : ['EVALSHA', script.sha1];
  }

  /**
   * Makes good what a call failed for, once for all calls that need it at the same time: after a restart each of them
   * would send the text, up to 63 KB.
   *
   * @param name of the command that failed
   * @param root of the queue, by which a cluster's node is found
   * @param sentAtMs when the call was sent, by `performance.now()`
   * @returns whether the call is to be sent again, as `callOf` says then
   */
  async mend(
    error: unknown,
    name: Call[0],
    script: Script<string>,
    root: string,
    sentAtMs: number,
  ): Promise<boolean> {
    if (name === 'FCALL' && isRefusedCommand(error)) this.functions = false;
    else if (!isUnknownScript(error)) return false;
    await this.teach(script, root, sentAtMs);
    return true;
  }

  private teach(script: Script<string>, root: string, sentAtMs: number): Promise<void> {
    // Queues of one node are taught apart: ioredis does not say which these are.
    const name = this.client instanceof Redis ? script.sha1 : `${script.sha1} ${root}`;
    const known = this.lessons.get(name);
    if (known && known.endedAtMs > sentAtMs) return known.taught;
    const lesson = { taught: this.load(script, root), endedAtMs: Infinity };
    this.lessons.set(name, lesson);
    const forget = () => {
      if (this.lessons.get(name) === lesson) this.lessons.delete(name);
    };
    lesson.taught.then(() => {
      lesson.endedAtMs = performance.now();
      setTimeout(forget, KNOWN_MS).unref();
    }, forget);
    return lesson.taught;
  }

  private async load(script: Script<string>, root: string): Promise<void> {
    if (this.functions) {
      try {
        return await this.loadFunction(script, root);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.functions = false;
      }
    }
    await this.ask(root, 'SCRIPT', 'LOAD', script.text);
  }

  private async loadFunction(script: Script<string>, root: string): Promise<void> {
    try {
      await this.ask(root, 'FUNCTION', 'LOAD', functionLibrary(script, Date.now()));
    } catch (error) {
      // Another process was first.
      if (error instanceof Error && error.message.includes('already exists')) return;
      throw error;
    }
    // For nothing but room; whoever still needs one that is gone teaches it again.
    await this.forgetOld(script, root).catch(() => undefined);
  }

  private async forgetOld(script: Script<string>, root: string): Promise<void> {
    const listed = await this.ask(root, 'FUNCTION', 'LIST', 'LIBRARYNAME', functionLibraries(script));
    const names = (listed as string[][]).map((fields) => fields[fields.indexOf('library_name') + 1]!);
    const loadedAt = (name: string) => Number(name.slice(name.lastIndexOf('_') + 1));
    // Ours is not among them, whatever the clocks of others say.
    const others = names.filter((name) => !name.startsWith(functionCall(script)));
    const old = others.sort((one, other) => loadedAt(other) - loadedAt(one)).slice(VERSIONS_KEPT - 1);
    for (const name of old) await this.ask(root, 'FUNCTION', 'DELETE', name);
  }

  /** On a cluster the key beside it makes it go to the node that is to run the script. */
  private async ask(root: string, ...command: [string, ...string[]]): Promise<unknown> {
    if (this.client instanceof Redis) return this.client.call(...command);
    const [, reply] = await atOnce(
      this.client
        .pipeline()
        .exists(root)
        .call(...command),
    );
    return reply;
  }
}
