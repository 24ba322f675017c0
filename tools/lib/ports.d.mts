// Types for the suites under test/ and bench/; the meaning is documented in ports.mjs.
export function isPortFree(port: number, host?: string): Promise<boolean>;
export function freePort(preferred?: number, host?: string): Promise<number>;
