import type { Script } from './scripts.generated.js';

/*
 * Scripts as functions of Redis: each is a library of its own with one function. A function's name says which version of the
 * script it is, so that two versions of Fairlane work side by side; its library's name says also when it was loaded.
 */

/** @returns the function's name: `fairlane_settle_0a1b2c3d4e5f` */
export function functionCall({ name, sha1 }: Script<string>): string {
  return `fairlane_${name}_${sha1.slice(0, 12)}`;
}

/** @returns the glob of the names of all libraries that hold a version of the script */
export function functionLibraries({ name }: Script<string>): string {
  return `fairlane_${name}_*`;
}

/** @returns what FUNCTION LOAD is given: the script's text, whose last line registers `main` instead of calling it */
export function functionLibrary(script: Script<string>, nowMs: number): string {
  const name = functionCall(script);
  const [header, ...lines] = script.text.trimEnd().split('\n');
  const flags = (/ flags=(.*)$/.exec(header!)?.[1] ?? '').split(',').filter(Boolean);
  return [
    `#!lua name=${name}_${nowMs}`,
    ...lines.slice(0, -1),
    `redis.register_function{ function_name = '${name}', callback = main, flags = { ${flags.map((flag) => `'${flag}'`).join(', ')} } }`,
  ].join('\n');
}
