import { outputOf } from './command.mjs';
import { installProgram } from './package-manager.mjs';

/**
 * Installs with the system's package manager whichever of these programs cannot be run.
 *
 * @param {string[]} names as they are called, which is also what packages call them
 * @throws Problem that holds the command to run by hand when this process may not or cannot do it
 */
export async function ensurePrograms(names) {
  for (const program of names) {
    const find = () => outputOf(program, ['--version']);
    if ((await find()) !== undefined) continue;
    // Where there is only one Python, its package has no number.
    const packages = { default: [program, program.replace(/\d$/, '')] };
    await installProgram({ program, packages, advice: `Install ${program}.`, find });
  }
}
