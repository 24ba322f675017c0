import { LIMITS } from '@app/queue';

/** One line of a stream; without bytes where it is longer than any task can be. */
export interface Line {
  /** From 1, blank lines counted. */
  number: number;
  bytes?: Buffer;
}

/**
 * Cuts a stream into lines and hands them on in slices that are bounded in number and bytes, as soon as they are
 * complete: a client may wait for the outcome of one line before it sends the next. Blank lines are passed over.
 */
export async function* readLines(
  stream: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<Line[]> {
  const cutter = new LineCutter(lineBytesMax);
  for await (const chunk of stream) yield* slices(cutter.push(chunk));
  yield* slices(cutter.end());
}

function* slices(lines: readonly Line[]): Generator<Line[]> {
  let slice: Line[] = [];
  let sliceBytes = 0;
  for (const line of lines) {
    slice.push(line);
    sliceBytes += line.bytes?.length ?? 0;
    if (slice.length >= LIMITS.sliceTasksMax || sliceBytes >= LIMITS.sliceBytesMax) {
      yield slice;
      slice = [];
      sliceBytes = 0;
    }
  }
  if (slice.length > 0) yield slice;
}

const NEWLINE = 0x0a;

class LineCutter {
  private number = 1;
  private parts: Buffer[] = [];
  private partsBytes = 0;
  private isTooLong = false;

  constructor(private readonly lineBytesMax: number) {}

  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.keep(chunk.subarray(start, end));
      lines.push(...this.end());
      start = end + 1;
    }
    this.keep(chunk.subarray(start));
    return lines;
  }

  /** The line begun, complete now. */
  end(): Line[] {
    const number = this.number++;
    const bytes = Buffer.concat(this.parts);
    const isTooLong = this.isTooLong;
    this.parts = [];
    this.partsBytes = 0;
    this.isTooLong = false;
    if (isTooLong) return [{ number }];
    return isBlank(bytes) ? [] : [{ number, bytes }];
  }

  private keep(part: Buffer): void {
    this.partsBytes += part.length;
    if (this.partsBytes > this.lineBytesMax) {
      this.isTooLong = true;
      this.parts = [];
    } else if (part.length > 0) {
      this.parts.push(part);
    }
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
