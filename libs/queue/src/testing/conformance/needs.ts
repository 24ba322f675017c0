import { ALL_CAPABILITIES, type Capability } from '../../core/capabilities.js';

let declared: ReadonlySet<Capability> = ALL_CAPABILITIES;
let marked = new Set<Capability>();

/** Defines blocks for a backend with these capabilities; answers which ones some case needs. */
export function defineFor(
  capabilities: ReadonlySet<Capability>,
  define: () => void,
): ReadonlySet<Capability> {
  declared = capabilities;
  marked = new Set();
  try {
    define();
    return marked;
  } finally {
    declared = ALL_CAPABILITIES;
  }
}

/**
 * `describe` and `it` for what only a backend with all of these can do; for another they are skipped. The title says
 * what is needed, and a case that asks for something its titles do not name fails everywhere (`Subject`).
 */
export function needs(...capabilities: readonly Capability[]): { describe: jest.Describe; it: jest.It } {
  capabilities.forEach((capability) => marked.add(capability));
  const isMissing = capabilities.some((capability) => !declared.has(capability));
  const suffix = ` (needs ${capabilities.join(', ')})`;
  return {
    describe: titled(isMissing ? describe.skip : describe, suffix),
    it: titled(isMissing ? it.skip : it, suffix),
  };
}

/** What a case needs by the titles that it stands under. */
export function needsOf(title: string): Set<string> {
  return new Set([...title.matchAll(/\(needs ([a-z, -]+)\)/g)].flatMap(([, names]) => names!.split(', ')));
}

function titled<Block extends jest.Describe | jest.It>(block: Block, suffix: string): Block {
  type Define = (title: string, ...rest: unknown[]) => void;
  const define: Define = (title, ...rest) => (block as Define)(title + suffix, ...rest);
  const each = (...table: unknown[]): Define => {
    const defineEach = (block.each as unknown as (...table: unknown[]) => Define)(...table);
    return (title, ...rest) => defineEach(title + suffix, ...rest);
  };
  return Object.assign(define, { each }) as unknown as Block;
}
