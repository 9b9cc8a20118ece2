import type { Type } from '@nestjs/common';

/**
 * The method of a controller that another function stands for, as Nest hands it out in the method's place: tracers put
 * a function of their own around each handler as its route is made, with its name and its metadata, and a constructor
 * may have bound it.
 *
 * @param methods names of the controller's handlers
 * @returns nothing where several or none would do
 */
export function wrappedMethod(
  controller: Type,
  methods: Iterable<string>,
  wrapper: { readonly name: string },
): string | undefined {
  const names = [...methods];
  const own = wrapper.name.replace(/^(?:bound )+/, '');
  if (names.includes(own)) return own;
  // A method that its decorators have replaced goes by another name than its own.
  const alike = names.filter((method) => hasMetadataOf(controller.prototype[method] as object, wrapper));
  return alike.length === 1 ? alike[0] : undefined;
}

function hasMetadataOf(handler: object, wrapper: object): boolean {
  return Reflect.getMetadataKeys(handler).every((key: unknown) =>
    Object.is(Reflect.getMetadata(key, handler), Reflect.getMetadata(key, wrapper)),
  );
}
