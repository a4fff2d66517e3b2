/** Positions [from, to) of a log. */
export interface Span {
  readonly from: number;
  readonly to: number;
}
