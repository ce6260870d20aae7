// Work that is done a few tasks at a time, and waits while all of it must wait.

import { ApiError } from "./request.js";

/**
 * What every kind of queue shares. Tasks that are added stay in `tasks`, in their order,
 * until they are done or refused: what the hold interrupts is begun again.
 *
 * A kind has work(task, signal), which throws an ApiError when the task cannot be done,
 * and says otherwise what differs from the methods below.
 */
export class TaskQueue extends EventTarget {
  atATime = 1;
  tasks = [];
  #running = new Map(); // task -> what aborts it

  constructor(hold) {
    super();
    this.hold = hold;
  }

  /** The task to begin, one of those that are free. */
  next(isFree) {
    return this.tasks.find(isFree);
  }

  /** A task that waits for no other. */
  urgent() {}

  /** (task, error): it was interrupted, and will be begun again after the hold. */
  interrupted() {}

  /** (task, error): it cannot be done. */
  refused() {}

  /** An added task has left the tasks, done or refused. */
  ended() {}

  /** What all must wait for after an error; "" when it is the task's own. */
  holdOf(error) {
    return error.hold;
  }

  get isBusy() {
    return this.tasks.length > 0;
  }

  add(...tasks) {
    this.tasks.push(...tasks);
    this.wake();
  }

  /** Begin what can be begun now. */
  wake() {
    const isFree = (task) => !this.#running.has(task);
    const urgent = this.urgent();
    if (urgent && isFree(urgent) && !this.hold.active) this.#run(urgent);
    while (this.#running.size < this.atATime && !this.hold.active) {
      const task = this.next(isFree);
      if (!task) return;
      this.#run(task);
    }
  }

  /** Abort a task, or all; nothing is heard of it any more. */
  cancel(...tasks) {
    for (const task of tasks.length ? tasks : [...this.#running.keys()]) {
      this.#running.get(task)?.abort();
      this.#running.delete(task);
      this.#drop(task);
    }
  }

  async #run(task) {
    const controller = new AbortController();
    const { signal } = controller;
    this.#running.set(task, controller);
    try {
      await this.work(task, signal);
      this.hold.succeeded();
      this.#drop(task);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#fail(task, error);
    } finally {
      if (!signal.aborted) this.#running.delete(task);
      this.wake();
    }
  }

  #fail(task, error) {
    const hold = this.holdOf(error);
    if (hold) {
      this.interrupted(task, error);
      this.hold.begin(hold, error.seconds);
    } else {
      this.refused(task, error);
      this.#drop(task);
    }
  }

  #drop(task) {
    if (!this.tasks.includes(task)) return; // it came from elsewhere
    this.tasks = this.tasks.filter((each) => each !== task);
    this.ended();
  }
}
