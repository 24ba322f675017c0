import { ConfigError, readSettings } from '@app/runtime';
import { apiSettings, isLoopback, requiredKeys } from './api.settings.js';

const read = (env: Record<string, string>) => readSettings({ api: apiSettings }, env).api;

test('without settings the API listens on loopback and asks for no key', () => {
  expect(read({})).toMatchObject({ host: '127.0.0.1', port: 3000, apiKeys: [], auth: 'on' });
});

test.each(['0.0.0.0', '::', '192.168.1.5', 'example.com', '127.example.com'])(
  'elsewhere than on loopback, at %s, it does not start without a key, and says what is missing',
  (HOST) => {
    expect(() => read({ HOST })).toThrow(ConfigError);
    expect(() => read({ HOST })).toThrow(/HOST=.*FAIRLANE_API_KEYS.*FAIRLANE_AUTH=off/);
    expect(read({ HOST, FAIRLANE_API_KEYS: 'x'.repeat(16) }).host).toBe(HOST);
    expect(read({ HOST, FAIRLANE_AUTH: 'off' }).host).toBe(HOST);
  },
);

test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost', 'LOCALHOST'])('%s is loopback', (host) => {
  expect(isLoopback(host)).toBe(true);
});

test('keys are a list, each long enough, and never shown when they are not', () => {
  const keys = ['0123456789abcdef', 'fedcba9876543210'];
  expect(read({ FAIRLANE_API_KEYS: keys.join(', ') }).apiKeys).toEqual(keys);
  expect(() => read({ FAIRLANE_API_KEYS: 'too-short' })).toThrow(/FAIRLANE_API_KEYS=\(hidden\)/);
});

test('keys are asked for unless authentication is off', () => {
  const apiKeys = ['0123456789abcdef'];
  expect(requiredKeys({ auth: 'on', apiKeys })).toEqual(apiKeys);
  expect(requiredKeys({ auth: 'off', apiKeys })).toEqual([]);
});
