import { Observable } from 'rxjs';
import { deliver, type Exchange } from '../delivery.js';
import type { ViewPolicy } from '../route-policy.js';
import type { Rescue, ViewRecording } from '../view-recording.js';

/** A handler's answer, or something stale where it has not begun to answer by its deadline. */
export function orStale(
  policy: ViewPolicy,
  exchange: Exchange,
  answer: Observable<unknown>,
  recording: ViewRecording,
  rescue: Rescue,
): Observable<unknown> {
  return new Observable((subscriber) => {
    const running = answer.subscribe({
      next: (value) => subscriber.next(value),
      error: (error: unknown) => subscriber.error(error),
      complete: () => subscriber.complete(),
    });
    if (subscriber.closed) return undefined;
    const cancel = rescue.atDeadline(() => {
      if (recording.opened || recording.ended) return;
      const substitute = rescue.whenLate();
      if (substitute === undefined) return;
      recording.giveUp();
      running.unsubscribe();
      deliver(policy, exchange, substitute.stored, substitute.fields).subscribe(subscriber);
    });
    return () => {
      cancel();
      running.unsubscribe();
    };
  });
}
