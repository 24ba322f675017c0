/** The page of benchmarks and its charts, from a file of results, by path in the repository. */
export function renderPage(run: object): Record<string, string>;
