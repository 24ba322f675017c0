/**
 * Measures every system once a round, beginning with another one each time, so that what disturbs the machine disturbs all.
 *
 * @param {import('../scenarios.mjs').Scenario} scenario @param {string[]} systems
 * @returns {Promise<Record<string, object>>} by figure: its title and unit, and the values of all rounds by system
 */
export async function measureRounds({ figures, prepare, measure }, systems, settings) {
  const measured = {};
  for (const [name, figure] of Object.entries(figures)) {
    measured[name] = { ...figure, values: Object.fromEntries(systems.map((system) => [system, []])) };
  }
  const prepared = {};
  try {
    for (const system of systems) prepared[system] = await prepare?.(system, settings);
    for (let round = 0; round < settings.rounds; round += 1) {
      for (let turn = 0; turn < systems.length; turn += 1) {
        const system = systems[(round + turn) % systems.length];
        const result = await measure(system, settings, prepared[system]);
        for (const [name, value] of Object.entries(result)) measured[name].values[system].push(value);
      }
    }
  } finally {
    await Promise.all(Object.values(prepared).map((each) => each?.stop()));
  }
  return measured;
}
