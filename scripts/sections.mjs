// Generated parts of a Markdown page, between `<!-- NAME -->` and `<!-- /NAME -->`.
import { readFileSync, writeFileSync } from 'node:fs';

const split = (text, name) => {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, end] = [text.indexOf(open), text.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`no section '${name}': add ${open} and ${close} to the page`);
  return [text.slice(0, start + open.length), text.slice(start + open.length, end), text.slice(end)];
};

/** The text of a section. */
export function sectionOf(path, name) {
  return split(readFileSync(path, 'utf8'), name)[1].trim();
}

/** Replaces a section and leaves the rest of the page alone. */
export function replaceSection(path, name, content) {
  const [before, , after] = split(readFileSync(path, 'utf8'), name);
  writeFileSync(path, `${before}\n\n${content}\n\n${after}`);
}
