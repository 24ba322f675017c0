import { Problem } from './problem.js';

/** How deep objects and arrays of a body may be nested. Deeper ones parse, and then break whoever serialises them. */
export const JSON_DEPTH_MAX = 64;

/**
 * Refuses, before anything is parsed, what `JSON.parse` would take and nobody could give back unchanged: nesting
 * beyond `JSON_DEPTH_MAX` levels, and numbers that would silently become other ones (integers beyond 2^53, 1e999).
 * Looks at bytes only; whether they are JSON is for the parser to say.
 *
 * @throws Problem `malformed-body`
 */
export function checkJsonLimits(bytes: Buffer): void {
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > JSON_DEPTH_MAX) {
        throw new Problem('malformed-body', {
          detail: `The body is nested deeper than ${JSON_DEPTH_MAX} levels.`,
        });
      }
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth--;
    } else if (byte === MINUS || isDigit(byte)) {
      const end = endOfNumber(bytes, at);
      checkNumber(bytes, at, end);
      at = end - 1;
    }
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const MINUS = 0x2d;

/** Integers of fewer digits are all exact. */
const EXACT_DIGITS = 15;
/** Longer ones are no integers anybody means, and cost time to convert. */
const NUMBER_CHARS_MAX = 400;

function endOfString(bytes: Buffer, start: number): number {
  let at = bytes.indexOf(QUOTE, start + 1);
  while (at >= 0 && isEscaped(bytes, at)) at = bytes.indexOf(QUOTE, at + 1);
  return at < 0 ? bytes.length : at;
}

function isEscaped(bytes: Buffer, quote: number): boolean {
  let backslashes = 0;
  while (bytes[quote - 1 - backslashes] === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function endOfNumber(bytes: Buffer, start: number): number {
  let at = start + 1;
  // Digits and any of . e E + -
  for (let byte = bytes[at]; isDigit(byte) || isNumberPunctuation(byte); byte = bytes[++at]);
  return at;
}

function isNumberPunctuation(byte: number | undefined): boolean {
  return byte === 0x2e || byte === 0x65 || byte === 0x45 || byte === 0x2b || byte === MINUS;
}

function checkNumber(bytes: Buffer, start: number, end: number): void {
  const length = end - start;
  if (length <= EXACT_DIGITS && !hasExponent(bytes, start, end)) return;
  const text = bytes.toString('latin1', start, Math.min(end, start + NUMBER_CHARS_MAX + 1));
  const value = Number(text);
  const exact = /^-?\d+$/.test(text) ? BigInt(text) === toBigInt(value) : Number.isFinite(value);
  if (length > NUMBER_CHARS_MAX || !exact) {
    throw new Problem('malformed-body', {
      detail: `The number ${text.slice(0, 40)} at byte ${start} cannot be represented exactly; send it as a string.`,
    });
  }
}

function hasExponent(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === 0x65 || bytes[at] === 0x45) return true;
  return false;
}

function toBigInt(value: number): bigint | undefined {
  return Number.isSafeInteger(value) ? BigInt(value) : undefined;
}
