import { RequestMethod, type Type } from '@nestjs/common';
import {
  METHOD_METADATA,
  PATH_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';

/** A handler and where it was found. */
export interface RouteSite {
  readonly controller: Type;
  readonly method: string;
  /** `BooksController.list`; unique in the application. */
  readonly name: string;
  readonly httpMethod: string;
  readonly rawHandler: boolean;
}

/**
 * A method of a controller as a route; nothing where it is none.
 *
 * @param className what the controller goes by, unique in the application
 */
export function siteOf(controller: Type, method: string, className: string): RouteSite | undefined {
  const handler = controller.prototype[method] as object | undefined;
  if (handler === undefined || Reflect.getMetadata(PATH_METADATA, handler) === undefined) return undefined;
  const requestMethod = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod;
  const args = Object.keys((Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) ?? {}) as object);
  const takesResponse = args.some((key) => {
    const type: RouteParamtypes = Number(key.split(':')[0]);
    return [RouteParamtypes.RESPONSE, RouteParamtypes.NEXT].includes(type);
  });
  const passthrough = Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, controller, method) === true;
  return {
    controller,
    method,
    name: `${className}.${method}`,
    // `@All` answers every method; what is safe to cache of it is GET.
    httpMethod: requestMethod === RequestMethod.ALL ? 'GET' : RequestMethod[requestMethod],
    rawHandler: takesResponse && !passthrough,
  };
}
