import { createHash } from 'node:crypto';
import * as scripts from '../../libs/queue/src/redis/scripts.generated.js';
import type { Step } from './step.js';

/** An engine with one rule broken, and a story in which it shows. */
export interface BrokenEngine {
  /** What it does wrong. */
  about: string;
  /** In every script that has it, or in the one with this name. */
  script?: string;
  breaks: string;
  into: string;
  story: Step[];
}

/**
 * Lets the adapters of this process run broken scripts. Returns what mends them.
 *
 * @throws Error where no script has what is to be broken, or one has it twice
 */
export function breakEngine({ script, breaks, into }: BrokenEngine): () => void {
  const broken = Object.values(scripts).filter(
    ({ name, text }) => (script ?? name) === name && text.includes(breaks),
  );
  if (broken.length === 0) throw new Error(`No script has this any more: ${breaks}`);
  const whole = broken.map(({ sha1, text }) => ({ sha1, text }));
  for (const each of broken) {
    const [before, after, ...others] = each.text.split(breaks);
    if (others.length > 0) throw new Error(`${each.name} has this twice: ${breaks}`);
    const text = `${before}${into}${after}`;
    Object.assign(each, { text, sha1: createHash('sha1').update(text).digest('hex') });
  }
  return () => broken.forEach((each, index) => Object.assign(each, whole[index]));
}
