/**
 * Answers from the last result while that is younger than `ageMsMax`, and lets callers that meet share one load, so that
 * many who ask cost the store no more than one. Failures are not kept.
 */
export function cached<T>(ageMsMax: number, load: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  let last: { value: T; atMs: number } | undefined;
  return () => {
    if (last && performance.now() - last.atMs < ageMsMax) return Promise.resolve(last.value);
    underWay ??= load()
      .then((value) => {
        last = { value, atMs: performance.now() };
        return value;
      })
      .finally(() => (underWay = undefined));
    return underWay;
  };
}
