/** The same work for every system: 150 bytes of payload, a handler that does nothing, three attempts allowed. */
export const PAYLOAD = { text: 'x'.repeat(139) };
export const PAYLOAD_TEXT = JSON.stringify(PAYLOAD);
export const ATTEMPTS = 3;
export const QUEUE = 'bench';
export const TYPE = 'noop';
/** Whose tasks are that name no tenant. */
export const TENANT = 'default';
export const BATCH = 100;
export const IN_FLIGHT = 64;
