/** A line of the catalogue of faults and attacks. */
export interface CatalogueLine {
  readonly number: number;
  readonly asks: string;
  /** What covers it besides tests that name it. */
  readonly also?: string;
  /** What of it has no test, and why. */
  readonly open?: string;
  /** What it is of when it is not of the engine, and so has no transcript. */
  readonly room?: string;
}

export interface CatalogueSection {
  readonly section: string;
  readonly lines: readonly CatalogueLine[];
}

export interface NamedTest {
  readonly title: string;
  readonly path: string;
}

export const PAGE: string;
export function testsByNumber(): Map<number, NamedTest[]>;
export function readCatalogue(): CatalogueSection[];
export function page(
  sections?: readonly CatalogueSection[],
  found?: ReadonlyMap<number, NamedTest[]>,
): string;
