import { URGENCIES, type Urgency } from '../../core/placement/plan.ts';

/** What waits, by urgency and within one urgency in the order it came. A task stands in it once. */
export class TaskQueue<T> {
  private readonly places = new Map<T, Urgency>();
  private readonly lanes = new Map<Urgency, Set<T>>(URGENCIES.map(urgency => [urgency, new Set<T>()]));

  /** A task that waits already keeps the more urgent of both places. */
  add(task: T, urgency: Urgency): void {
    const known = this.places.get(task);
    if (known !== undefined) {
      if (URGENCIES.indexOf(known) <= URGENCIES.indexOf(urgency)) return;
      this.remove(task);
    }
    this.places.set(task, urgency);
    this.lanes.get(urgency)!.add(task);
  }

  remove(task: T): void {
    const urgency = this.places.get(task);
    if (urgency === undefined) return;
    this.places.delete(task);
    this.lanes.get(urgency)!.delete(task);
  }

  clear(): void {
    this.places.clear();
    for (const lane of this.lanes.values()) lane.clear();
  }

  /** Takes the most urgent task that `fits`; null when none does. */
  take(fits: (task: T) => boolean): T | null {
    for (const urgency of URGENCIES) {
      for (const task of this.lanes.get(urgency)!) {
        if (!fits(task)) continue;
        this.remove(task);
        return task;
      }
    }
    return null;
  }

  /** Takes tasks that stand as urgently as `task` did and `fit` beside it, in order, until one does not. */
  takeAlong(urgency: Urgency, fits: (task: T) => boolean): T[] {
    const taken: T[] = [];
    for (const task of this.lanes.get(urgency)!) {
      if (!fits(task)) break;
      taken.push(task);
    }
    for (const task of taken) this.remove(task);
    return taken;
  }
}
