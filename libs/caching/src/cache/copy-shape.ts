import { copyOf } from './value-copy.js';

/** How many members with objects in them one object may have, how long their names, how many places in all. */
const MAX = { members: 16, name: 256, places: 64 } as const;

/** What lies at one place of values: objects, lists of what `elements` says, or what is copied by looking at all of it. */
class Place {
  kind: 'unknown' | 'members' | 'list' | 'other' = 'unknown';
  /** Members that are objects in some value, with what they are. */
  readonly names: string[] = [];
  readonly places: Place[] = [];
  elements: Place | undefined;

  giveUp(): void {
    this.kind = 'other';
    this.names.length = 0;
    this.places.length = 0;
    this.elements = undefined;
  }
}

/**
 * Where in the results of one function objects lie in each other: copies then ask nothing of the other members, which
 * are most, and take a third of the time. It says where objects may be and is wrong about no value that it has covered,
 * whatever others it covers later; where they differ in kind, or are many, all is looked at.
 */
export class CopyShape {
  readonly #root = new Place();
  #places = 0;

  /** @param value one that came through `ownCopy` */
  cover(value: object): void {
    this.#cover(this.#root, value);
  }

  /** @param value one that was covered */
  copy(value: object): object {
    return copyAt(this.#root, value);
  }

  #cover(place: Place, value: object): void {
    if (place.kind === 'other') return;
    const kind = kindAt(value);
    if (place.kind === 'unknown') place.kind = kind;
    if (place.kind !== kind || kind === 'other') place.giveUp();
    else if (kind === 'list') this.#coverElements(place, value as readonly unknown[]);
    else this.#coverMembers(place, value as Readonly<Record<string, unknown>>);
  }

  #coverElements(place: Place, value: readonly unknown[]): void {
    for (const element of value) {
      if (!isObject(element)) continue;
      if (place.elements === undefined && ++this.#places > MAX.places) return place.giveUp();
      this.#cover((place.elements ??= new Place()), element);
    }
  }

  #coverMembers(place: Place, value: Readonly<Record<string, unknown>>): void {
    for (const name of Object.keys(value)) {
      const member = value[name];
      if (!isObject(member)) continue;
      let at = place.names.indexOf(name);
      if (at < 0) {
        const isBeyond = place.names.length >= MAX.members || name.length > MAX.name;
        if (isBeyond || ++this.#places > MAX.places) return place.giveUp();
        at = place.names.push(name) - 1;
        place.places.push(new Place());
      }
      this.#cover(place.places[at] as Place, member);
    }
  }
}

function kindAt(value: object): 'members' | 'list' | 'other' {
  if (Array.isArray(value)) return 'list';
  return Object.getPrototypeOf(value) === Object.prototype ? 'members' : 'other';
}

function copyAt(place: Place, value: object): object {
  if (place.kind === 'members') {
    const copy: Record<string, unknown> = { ...value };
    const { names, places } = place;
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string;
      const member = copy[name];
      if (isObject(member)) copy[name] = copyAt(places[at] as Place, member);
    }
    return copy;
  }
  if (place.kind !== 'list') return copyOf(value) as object;
  const copy: unknown[] = (value as readonly unknown[]).slice();
  const { elements } = place;
  if (elements === undefined) return copy;
  for (let at = 0; at < copy.length; at++) {
    const element = copy[at];
    if (isObject(element)) copy[at] = copyAt(elements, element);
  }
  return copy;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
