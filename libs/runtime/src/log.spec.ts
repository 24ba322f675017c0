import { createLogger } from './log.js';

const capture = () => {
  const lines: string[] = [];
  return { lines, destination: { write: (line: string) => void lines.push(line) } };
};

test('a line is one JSON object with level word, UTC time, name and message', () => {
  const { lines, destination } = capture();
  createLogger({ name: 'api', destination }).info({ port: 3000 }, 'listening');
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', name: 'api', port: 3000, msg: 'listening' });
  expect(JSON.parse(lines[0]!).time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test('lines below the level are not written', () => {
  const { lines, destination } = capture();
  createLogger({ name: 'api', level: 'warn', destination }).info('quiet');
  expect(lines).toEqual([]);
});

test('credentials are hidden at the depths at which objects are logged', () => {
  const { lines, destination } = capture();
  const log = createLogger({ name: 'api', destination });
  log.info({ password: 'hunter2', apiKey: 'hunter2', token: 'hunter2' });
  log.info({ redis: { password: 'hunter2' } });
  log.info({ req: { headers: { authorization: 'Bearer hunter2', cookie: 'hunter2' } } });
  log.info({ res: { headers: { 'set-cookie': 'hunter2' } } });
  expect(lines).toHaveLength(4);
  expect(lines.join('')).not.toContain('hunter2');
});

test('control characters cannot break a line in two', () => {
  const { lines, destination } = capture();
  createLogger({ name: 'api', destination }).info({ queue: 'a\r\n{"level":"fatal"}\u001b[31m' }, 'x\ny');
  expect(lines[0]!.trimEnd()).not.toMatch(/[\r\n\u001b]/);
});

test('an error is logged without the properties clients hang on it', () => {
  const { lines, destination } = capture();
  const error = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', command: { args: ['hunter2'] } });
  createLogger({ name: 'api', destination }).error({ err: error }, 'failed');
  expect(JSON.parse(lines[0]!).err).toMatchObject({
    type: 'Error',
    message: 'refused',
    code: 'ECONNREFUSED',
  });
  expect(lines[0]).not.toContain('hunter2');
});
