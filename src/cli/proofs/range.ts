import { CommandFailure, EXIT } from '../failure.ts';

export interface Range {
  readonly unit: 'position' | 'height' | 'time';
  readonly from: number;
  /** Null for the end. */
  readonly to: number | null;
}

interface Bound {
  readonly unit: Range['unit'];
  readonly value: number;
}

function boundOf(text: string): Bound {
  const height = /^height:(\d{1,15})$/.exec(text);
  if (height !== null) return { unit: 'height', value: Number(height[1]) };
  if (/^\d{1,15}$/.test(text)) return { unit: 'position', value: Number(text) };
  // A date alone is midnight UTC; a time without a zone is not guessed.
  const zoned = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const value = zoned ? Date.parse(text) : Number.NaN;
  if (value >= 0) return { unit: 'time', value };
  throw new CommandFailure(
    EXIT.usage,
    `"${text}" is no bound of a range`,
    'Give a position such as 12, height:40, or a time such as 2026-01-31 or 2026-01-31T08:00:00Z.',
  );
}

/** Bounds as people write them: both are positions, heights or times. */
export function rangeOf(from: string | undefined, to: string | undefined): Range {
  const [first, last] = [from, to].map(text => (text === undefined ? null : boundOf(text)));
  const unit = first?.unit ?? last?.unit ?? 'position';
  if (first && last && first.unit !== last.unit) {
    throw new CommandFailure(
      EXIT.usage,
      `--from is a ${first.unit} and --to a ${last.unit}: use one of them for both`,
    );
  }
  return { unit, from: first?.value ?? 0, to: last?.value ?? null };
}
