import { outputOf } from '../../tools/lib/command.mjs';
import { installProgram } from '../../tools/lib/package-manager.mjs';

/** Programs that are no packages of npm, by what they are called: what asks for their version, and who brings them. */
const PROGRAMS = {
  h2load: { ask: '--version', packages: { 'apt-get': ['nghttp2-client'], default: ['nghttp2'] } },
  beanstalkd: { ask: '-v', packages: { default: ['beanstalkd'] } },
};

const installed = new Map();

/** Installs it where it is missing. @throws Problem where that cannot be done */
export function ensureProgram(program) {
  if (!installed.has(program)) installed.set(program, install(program));
  return installed.get(program);
}

/** What it says about itself; `undefined` where it is missing. */
export async function versionOf(program) {
  return (await outputOf(program, [PROGRAMS[program].ask]))?.trim();
}

async function install(program) {
  const find = () => versionOf(program);
  if ((await find()) !== undefined) return;
  await installProgram({
    program,
    packages: PROGRAMS[program].packages,
    advice: `Install ${program}, or leave out with --only and --systems what needs it.`,
    find,
  });
}
