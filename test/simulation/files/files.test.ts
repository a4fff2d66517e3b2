import { describe, expect, it } from 'vitest';
import { runFiles } from './run.ts';

describe('simulated holders of files', () => {
  it('give one trace for one seed', async () => {
    const report = await runFiles(5);
    expect(report.files).toBeGreaterThan(0);
    expect((await runFiles(5)).traceHash).toBe(report.traceHash);
  });

  it('[68] sign for no copy whose damage they found while the receipt waited', async () => {
    expect((await runFiles(2)).files).toBeGreaterThan(0);
  });

  it('[82] [87] delete what is purged, also where somebody without a right to it names it in another phase', async () => {
    expect((await runFiles(5)).files).toBeGreaterThan(0);
  });

  it('[82] serve no piece that a crash left to who names its file in a phase of its own', async () => {
    expect((await runFiles(900099)).files).toBeGreaterThan(0);
  });

  it('leave no node behind in the network when the power goes right after they started', async () => {
    expect((await runFiles(7)).files).toBeGreaterThan(0);
  });
});
