import { LIMITS } from '@app/queue';

/** The largest body of a request: a full payload and everything around it. */
export const BODY_BYTES_MAX = LIMITS.payloadBytesMax + 64 * 1024;

/** The largest body of a batch that is not streamed. */
export const BATCH_BODY_BYTES_MAX = 16 * 1024 * 1024;
