/** A property of SCENARIOS 11 does not hold. */
export class InvariantBroken extends Error {
  override readonly name = 'InvariantBroken';
}
