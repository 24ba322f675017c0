import { IsInt, IsOptional, Max } from 'class-validator';
import { payloadParser } from './payload.js';

class Payload {
  @IsOptional()
  @IsInt()
  @Max(10)
  n?: number;
}

const parse = payloadParser(Payload);

test('a payload that fits becomes an instance of its class', () => {
  expect(parse({ n: 3 })).toEqual(Object.assign(new Payload(), { n: 3 }));
});

test('no payload is as good as an empty one where nothing is required', () => {
  expect(parse(undefined)).toEqual(new Payload());
});

test.each([null, [], 'text', 1])('%j is no payload', (payload) => {
  expect(() => parse(payload)).toThrow('The payload must be a JSON object.');
});

test('a wrong type is named before what follows from it', () => {
  expect(() => parse({ n: 'x' })).toThrow('n must be an integer number');
});

test('unknown fields are refused by name', () => {
  expect(() => parse({ m: 1 })).toThrow('m should not exist');
});
