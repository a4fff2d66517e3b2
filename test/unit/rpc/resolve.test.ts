import { describe, expect, it } from 'vitest';
import type { PhaseId, ProjectId } from '../../../src/core/base/ids.ts';
import { RpcFailure } from '../../../src/rpc/errors.ts';
import { type NamedPhase, resolvePhase, resolveProject } from '../../../src/rpc/resolve.ts';
import { hashOf } from './support.ts';

const idWith = (start: string) => start.padEnd(64, '0');
const projects = [
  { id: idWith('aaaa1'), label: 'permits' },
  { id: idWith('aaaa2'), label: 'building' },
  { id: idWith('bbbb'), label: 'building' },
  { id: idWith('cccc'), label: 'aaaa1' },
  { id: idWith('dddd'), label: idWith('bbbb') },
];

function phase(id: string, label: string, project: number): NamedPhase {
  return {
    id: idWith(id) as PhaseId,
    label,
    project: { id: projects[project]!.id as ProjectId, label: projects[project]!.label },
  };
}
const phases = [
  phase('1111', 'intake', 0),
  phase('2222', 'intake', 1),
  phase('3333', 'review', 1),
  phase('4444', 'a/b', 2),
];

function failureOf(run: () => unknown): RpcFailure {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof RpcFailure) return thrown;
    throw thrown;
  }
  throw new Error('expected a failure');
}

describe('names', () => {
  it('a whole id, a label, or four characters of an id', () => {
    expect(resolveProject('permits', projects)).toBe(projects[0]);
    expect(resolveProject('aaaa2', projects)).toBe(projects[1]);
    expect(resolveProject('cccc', projects)).toBe(projects[3]);
    expect(failureOf(() => resolveProject('ccc', projects)).error).toBe('not_found');
    expect(failureOf(() => resolveProject(hashOf(9), projects)).data.reason).toBe('unknown_project');
  });

  it('a label that looks like an id never shadows it', () => {
    expect(resolveProject(idWith('bbbb'), projects)).toBe(projects[2]);
    expect(failureOf(() => resolveProject('aaaa1', projects)).data.matches).toHaveLength(2);
  });

  it('an ambiguous name lists what it stands for', () => {
    const failed = failureOf(() => resolveProject('building', projects));
    expect(failed.error).toBe('ambiguous_name');
    expect(failed.data.matches).toEqual(['building (aaaa20000000)', 'building (bbbb00000000)']);
    expect(failed.message).toContain('2 projects');
  });

  it('phases by themselves or within their project', () => {
    expect(resolvePhase('review', phases)).toBe(phases[2]);
    expect(resolvePhase('permits/intake', phases)).toBe(phases[0]);
    expect(resolvePhase('aaaa2/intake', phases)).toBe(phases[1]);
    expect(resolvePhase(`${projects[1]!.id}/2222`, phases)).toBe(phases[1]);
    expect(resolvePhase('a/b', phases)).toBe(phases[3]);
    expect(resolvePhase('bbbb/a/b', phases)).toBe(phases[3]);
    expect(failureOf(() => resolvePhase('intake', phases)).data.matches).toEqual([
      'permits/intake (111100000000)',
      'building/intake (222200000000)',
    ]);
    expect(failureOf(() => resolvePhase('permits/review', phases)).data.reason).toBe('unknown_phase');
  });

  it('a phase that someone labelled like project/phase never hides the phase of that project', () => {
    const hostile = [phase('5555', 'permits/intake', 2), ...phases];
    expect(failureOf(() => resolvePhase('permits/intake', hostile)).data.matches).toEqual([
      'building/permits/intake (555500000000)',
      'permits/intake (111100000000)',
    ]);
    expect(resolvePhase('5555', hostile)).toBe(hostile[0]);
  });
});
