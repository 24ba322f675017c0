import { type Command, say } from './command.js';
import { moveQueueCommand } from './move-queue.command.js';

const commands: Record<string, Command> = { 'move-queue': moveQueueCommand };

const help = () =>
  Object.entries(commands)
    .map(([name, { usage, about }]) => `npm run cli -- ${name} ${usage}\n\n${about}`)
    .join('\n\n');

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command && !args.includes('--help')) process.exitCode = await command.run(args);
else {
  say(help());
  process.exitCode = args.includes('--help') || name === '--help' ? 0 : 2;
}
