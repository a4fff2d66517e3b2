import { safeFileName } from '../../rpc/file-names.ts';

/**
 * A name from a record as a path below a directory of one's own: its parts stay parts, each made safe, and none leads out of it
 * (SCENARIOS 88).
 */
export function safeRelativePath(name: string): string {
  const parts = name.split('/').filter(part => part !== '' && part !== '.' && part !== '..');
  return parts.length === 0 ? 'file' : parts.map(safeFileName).join('/');
}

/** Different names that became one: the second and later ones get a number before their ending. */
export function distinctPaths(names: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return names.map(name => {
    const path = safeRelativePath(name);
    const [, stem, ending] = /^(.*?)(\.[^./]*)?$/s.exec(path)!;
    let candidate = path;
    for (let number = 2; taken.has(candidate.toLowerCase()); number += 1)
      candidate = `${stem} (${number})${ending ?? ''}`;
    taken.add(candidate.toLowerCase());
    return candidate;
  });
}
