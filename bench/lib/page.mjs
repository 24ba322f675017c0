import { barChart, lineChart } from './charts.mjs';
import { inWords, rounded, spread } from './figures.mjs';
import { judge } from './goals.mjs';

/** What is shown together; the figures of one chart have one unit. */
const CHARTS = {
  engine: ['enqueue-singly', 'enqueue-batches', 'drain-one', 'drain-two'],
  latency: ['latency-median', 'latency-p99'],
  http: ['http-post', 'http-get'],
  'http-batches': ['http-post-batches'],
  fsync: ['fsync-enqueue-singly', 'fsync-enqueue-batches', 'fsync-drain-one'],
};
const GROWTH = 'size-';
/** More of the machine was somebody else's, where it was busier before. */
const BUSY_PERCENT = 10;

/** The page of benchmarks and its charts, from a file of results. @returns {Record<string, string>} by path in the repository */
export function renderPage(run) {
  const charts = renderCharts(run.figures);
  const files = Object.entries(charts).map(([name, svg]) => [`docs/benchmarks/${name}.svg`, `${svg}\n`]);
  return { 'docs/benchmarks.md': markdown(run, Object.keys(charts)), ...Object.fromEntries(files) };
}

function renderCharts(figures) {
  const charts = {};
  for (const [name, shown] of Object.entries(CHARTS)) {
    const measured = shown.map((figure) => figures[figure]).filter((figure) => figure !== undefined);
    if (measured.length === 0) continue;
    const systems = Object.keys(measured[0].values);
    charts[name] = barChart({
      title: `Median, ${measured[0].unit}`,
      groups: measured.map(({ title }) => title),
      bars: Object.fromEntries(
        systems.map((system) => [system, measured.map(({ values }) => median(values[system]))]),
      ),
    });
  }
  const growing = Object.entries(figures).filter(([name]) => name.startsWith(GROWTH));
  if (growing.length > 0) charts.growth = growthChart(growing.map(([, figure]) => figure));
  return charts;
}

/** What a task costs with so many waiting, by what it costs with none. */
function growthChart(figures) {
  const costs = ({ values, less }) =>
    Object.values(values).map((those) => {
      const ratio = median(values.empty) / median(those);
      return less ? 1 / ratio : ratio;
    });
  return lineChart({
    title: 'Cost of a task with so many waiting, by its cost with none',
    points: Object.keys(figures[0].values),
    lines: Object.fromEntries(figures.map((figure) => [figure.title, costs(figure)])),
  });
}

function markdown({ at, commit, machine, versions, figures }, charts) {
  const { cpu, cores, memoryGb, system, busyPercentBefore } = machine;
  const facts = [
    `Measured at ${at}, commit ${commit}.${earlier(figures, commit)}`,
    `Machine: ${cpu}, ${cores} cores, ${memoryGb} GB, ${system}; ${busyPercentBefore} % busy before.${
      busyPercentBefore > BUSY_PERCENT
        ? ' Other work went on: times and rates are those of what was left, and only ratios mean anything.'
        : ''
    }`,
    `Versions: ${Object.entries(versions).map(versionInWords).join(', ')}.`,
  ];
  return `# Benchmarks

Fairlane and its peers at the same work, in one run: [bench](../bench/README.md) says how, and \`npm run bench\` does it on your
machine. What counts are the ratios of one run; a machine that does other work changes all absolute figures. This page and its
charts are written by \`npm run generate:docs\` from [results/latest.json](../bench/results/latest.json).

${facts.map((fact) => `- ${fact}`).join('\n')}

${charts.map((name) => `![${name}](benchmarks/${name}.svg)`).join('\n\n')}

## Goals

The floor is what must hold, "after" what we are after; minimum / median / maximum over the rounds.

${table(
  ['', 'goal', 'measured', 'holds'],
  judge(figures).flatMap(({ title, bounds }) =>
    bounds.map(({ kind, says, measured, holds }, index) => [
      index === 0 ? title : '',
      `${kind}: ${says}`,
      inWords(measured),
      holds ? 'yes' : '**no**',
    ]),
  ),
)}

## Figures

Medians; in brackets, over how many rounds.

${Object.values(figures).map(figureTable).join('\n\n')}
`;
}

/** What of it was measured with another commit. */
function earlier(figures, commit) {
  const older = Object.entries(figures).filter(([, figure]) => figure.commit !== commit);
  const commits = [...new Set(older.map(([, figure]) => figure.commit))];
  const namesOf = (one) => older.filter(([, figure]) => figure.commit === one).map(([name]) => name);
  return commits.map((one) => ` At ${one}: ${namesOf(one).join(', ')}.`).join('');
}

/** Some programs name themselves. */
function versionInWords([name, version]) {
  return version?.toLowerCase().includes(name) ? version : `${name} ${version}`;
}

function figureTable({ title, unit, values }) {
  const systems = Object.keys(values);
  return table(
    [`${title}, ${unit} (${Object.values(values)[0].length})`, ...systems],
    [['', ...systems.map((system) => rounded(median(values[system])).toLocaleString('en'))]],
  );
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function median(numbers) {
  return spread(numbers).median;
}
