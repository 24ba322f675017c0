import type { Setting } from './setting.js';
import type { SettingsTable } from './settings-table.js';

/** The reference of all settings as markdown: one heading and one table for each of `tables`. */
export function renderSettings(tables: readonly SettingsTable[]): string {
  return tables.map(renderTable).join('\n');
}

function renderTable(table: SettingsTable): string {
  const rows = Object.values(table.settings).map(renderRow);
  return [
    `## ${table.title}`,
    '',
    '| variable | default | accepts | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function renderRow(setting: Setting<unknown>): string {
  const fallback = setting.required
    ? 'required'
    : setting.defaultText === ''
      ? ''
      : `\`${setting.defaultText}\``;
  const meaning = setting.secret ? `${setting.description} Secret: never printed.` : setting.description;
  return `| ${[`\`${setting.env}\``, fallback, setting.expected, meaning].map(cell).join(' | ')} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
