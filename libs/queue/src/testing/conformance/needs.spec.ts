import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;

test('no case is left out but by what it needs, so that what is skipped is what a backend declares to lack', () => {
  const texts = readdirSync(folder)
    .filter((file) => !file.startsWith('needs.'))
    .map((file) => [file, readFileSync(join(folder, file), 'utf8')] as const);
  expect(texts.length).toBeGreaterThan(20);
  const leftOut = texts.filter(([, text]) =>
    /\.(skip|skipIf|todo|only)\b|\b[xf](it|test|describe)\(/.test(text),
  );
  expect(leftOut.map(([file]) => file)).toEqual([]);
});
