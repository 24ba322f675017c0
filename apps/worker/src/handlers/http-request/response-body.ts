/** Bytes of a response that are kept. */
export const BODY_BYTES_MAX = 256 * 1024;

/** A response's body as it is stored. */
export interface StoredBody {
  /** The value of a JSON response, else its text, else its bytes in base64; absent where there is none. */
  body?: unknown;
  /** Present where `body` is bytes in base64. */
  encoding?: 'base64';
  /** Present where the response was longer than `BODY_BYTES_MAX`; `body` is then its beginning and never a JSON value. */
  truncated?: true;
}

/** Reads no more of a response than is kept. Whoever calls it disposes of the rest. */
export async function readBody(
  stream: AsyncIterable<Uint8Array>,
): Promise<{ bytes: Buffer; truncated: boolean }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > BODY_BYTES_MAX) break;
  }
  return { bytes: Buffer.concat(chunks).subarray(0, BODY_BYTES_MAX), truncated: length > BODY_BYTES_MAX };
}

export function storedBody(bytes: Buffer, contentType: string, truncated: boolean): StoredBody {
  if (bytes.length === 0) return {};
  const cut = truncated ? ({ truncated: true } as const) : {};
  const text = textOf(bytes, truncated);
  if (text === undefined) return { body: bytes.toString('base64'), encoding: 'base64', ...cut };
  if (!truncated && /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType)) {
    try {
      const body: unknown = JSON.parse(text);
      // JSON can be nested deeper than it can be written again.
      JSON.stringify(body);
      return { body };
    } catch {
      // It says that it is JSON, and is not.
    }
  }
  return { body: text, ...cut };
}

/** The bytes as UTF-8; `undefined` where they are something else, or text that JSON would blow up. */
function textOf(bytes: Buffer, truncated: boolean): string | undefined {
  try {
    // A cut may go through a character, which `stream` leaves out.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: truncated });
    return Buffer.byteLength(JSON.stringify(text)) <= 2 * BODY_BYTES_MAX ? text : undefined;
  } catch {
    return undefined;
  }
}
