import { isIP } from 'node:net';
import { AddressGuard, isPublicAddress } from './address-guard.js';

test.each([
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.255',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:a9fe:a9fe',
  '::ffff:0:7f00:1',
  '64:ff9b::7f00:1',
  '64:ff9b::808:808',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%lo',
  '2606:4700::1111%eth0',
  'fec0::1',
  'ff02::1',
  'localhost',
  '',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700::1111',
  '2a00:1450::1',
  '::ffff:8.8.8.8',
])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

// Spellings that URL parsers turn into addresses, so that the guard sees what will be connected to.
test.each([
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0177.0.0.1/',
  'http://017700000001/',
  'http://127.0.0.1./',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://[::1]/',
  'http://[::ffff:7f00:1]/',
  'http://[::127.0.0.1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[fd00:ec2::254]/',
  'http://169.254.169.254/',
  'http://0/',
])('%s is recognised as an address that is not public', (url) => {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  expect(isIP(host)).not.toBe(0);
  expect(new AddressGuard().allows(host, host)).toBe(false);
});

test('what an operator allows may be reached, and nothing else', () => {
  const guard = new AddressGuard(['10.1.0.0/16', 'fd00::/8', '127.0.0.1', 'intranet.example']);
  expect(guard.allows('10.1.2.3', '10.1.2.3')).toBe(true);
  expect(guard.allows('a.example', '10.1.2.3')).toBe(true);
  expect(guard.allows('10.2.0.1', '10.2.0.1')).toBe(false);
  expect(guard.allows('fd00::1', 'fd00::1')).toBe(true);
  expect(guard.allows('fd00::1', 'fd00::1%eth0')).toBe(false);
  expect(guard.allows('127.0.0.2', '127.0.0.2')).toBe(false);
  expect(guard.allows('Intranet.Example.', '192.168.0.1')).toBe(true);
  expect(guard.allows('other.example', '192.168.0.1')).toBe(false);
});
