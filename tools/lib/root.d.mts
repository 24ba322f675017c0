// Types for the suites under test/ and bench/; the meaning is documented in root.mjs.
export const root: string;
