import { inWords, ratios, spread } from './figures.mjs';

export function printFigures(figures) {
  for (const { title, unit, values } of Object.values(figures)) {
    const [first] = Object.values(values);
    console.log(`\n${title}, ${unit}`);
    const rows = Object.entries(values).map(([system, numbers]) => [
      system,
      {
        'min / median / max': inWords(spread(numbers)),
        'the first one by it': numbers === first ? '' : inWords(spread(ratios(first, numbers))),
      },
    ]);
    console.table(Object.fromEntries(rows));
  }
}

export function printGoals(goals) {
  for (const { title, bounds } of goals) {
    console.log(title);
    for (const { says, measured, holds, kind } of bounds)
      console.log(`  ${kind.padEnd(5)} ${says}: ${inWords(measured)} ${holds ? 'holds' : 'MISSED'}`);
  }
}
