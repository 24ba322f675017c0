import { ConfigError } from './config/config-error.js';
import { main } from './main.js';

const setup = () => {
  const written = { stdout: '', stderr: '', exits: [] as number[] };
  const target = {
    stdout: { write: (text: string) => (written.stdout += text) },
    stderr: { write: (text: string) => (written.stderr += text) },
    exit: (code: number) => void written.exits.push(code),
  };
  return { written, target };
};

test('a start that works prints nothing and does not exit', async () => {
  const { written, target } = setup();
  await main('api', async () => {}, target);
  expect(written).toEqual({ stdout: '', stderr: '', exits: [] });
});

test('a configuration error is plain text on standard error and exit code 78', async () => {
  const { written, target } = setup();
  const error = new ConfigError([{ env: 'PORT', message: 'PORT="x": expected a port' }]);
  await main('api', () => Promise.reject(error), target);
  expect(written).toEqual({
    stdout: '',
    stderr: 'api: Configuration cannot be used:\n  PORT="x": expected a port\n',
    exits: [78],
  });
});

test('any other error is a fatal line of the log and exit code 1', async () => {
  const { written, target } = setup();
  await main('api', () => Promise.reject(new Error('no Redis')), target);
  expect(JSON.parse(written.stdout)).toMatchObject({
    level: 'fatal',
    name: 'api',
    err: { message: 'no Redis' },
  });
  expect(written.exits).toEqual([1]);
});
