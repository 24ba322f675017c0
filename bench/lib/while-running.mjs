/** Does something with what has been started, and stops it whatever happens. */
export async function whileRunning(started, work) {
  try {
    return await work(started);
  } finally {
    await started.stop();
  }
}
