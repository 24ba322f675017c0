// npm run build: compiles all apps and libraries into dist/.
import { build } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { runTool } from './lib/problem.mjs';

await runTool(async () => {
  await ensureDependencies();
  await build();
});
