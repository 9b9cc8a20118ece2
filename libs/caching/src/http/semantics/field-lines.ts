import type { OutgoingHttpHeader } from 'node:http';

/** The value of a field as node and the frameworks hold it. */
export type FieldValue = OutgoingHttpHeader | readonly string[] | undefined;

/** The lines of a field, each as it came; none where the field is absent. */
export function linesOf(value: FieldValue): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'object' ? value.map(String) : [String(value)];
}

/** RFC 9110 §5.3: the lines of a list field mean the same as one line of them all. */
export function joinedLine(value: FieldValue): string | undefined {
  const lines = linesOf(value);
  return lines.length === 0 ? undefined : lines.join(', ');
}
