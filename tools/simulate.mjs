// npm run simulate: workers and submitters against an API that runs, for trying it out and for load. --help says more.
import { ensureDependencies } from './lib/dependencies.mjs';
import { runTool } from './lib/problem.mjs';
import { HELP, parseOptions } from './simulate/options.mjs';

await runTool(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return void console.log(HELP);
  await ensureDependencies();
  // It imports a package.
  const { Simulation } = await import('./simulate/simulation.mjs');
  const simulation = new Simulation(options);
  watchSignals(simulation);
  const addsUp = await simulation.run();
  process.exitCode = addsUp ? 0 : 1;
});
// Whatever is still under way at the second Ctrl-C is not waited for.
process.exit();

/** The first Ctrl-C ends the submissions, the second one the work, too. */
function watchSignals(simulation) {
  let firstAtMs;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (firstAtMs === undefined) {
        firstAtMs = performance.now();
        console.log(`\n${signal}: no more submissions; once more to stop working.`);
        simulation.stopSubmitting();
      } else if (performance.now() - firstAtMs > 500) {
        // One Ctrl-C arrives twice under npm, from the terminal and passed on by npm: hence the pause.
        console.log(`\n${signal}: what runs is given back; once more to leave at once.`);
        simulation.stopWorking();
        // Without an API nothing can be settled.
        process.once(signal, () => process.exit(1));
      }
    });
  }
}
