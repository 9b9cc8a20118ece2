import { RequestMethod, type Type, type VersioningOptions } from '@nestjs/common';
import { METHOD_METADATA, MODULE_PATH, PATH_METADATA, VERSION_METADATA } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';
import { match, type MatchFunction, type ParamData } from 'path-to-regexp';
import { type ParamTexts, paramTexts } from './param-text.js';
import { pathsOf } from './path-params.js';
import type { RoutePolicy } from './route-policy.js';
import type { RouteTable } from './route-table.js';

/** A handler's full path, with prefixes and version, as its router has it. */
export interface RoutePath {
  readonly route: RoutePolicy;
  /** `GET`, …, or `ALL`. */
  readonly method: string;
  readonly path: string;
}

export interface MatchedRoute extends RoutePath {
  readonly params: Readonly<Record<string, string>>;
}

interface Template extends RoutePath {
  readonly matches: MatchFunction<ParamData>;
}

/** What the paths of an application are made of. */
export interface RoutePathSources {
  readonly application: ApplicationConfig;
  /** Of Nest's modules, which `RouterModule` marks its paths with. */
  readonly applicationId: string;
  readonly controllers: readonly InstanceWrapper[];
  readonly methodsOf: (controller: Type) => readonly string[];
  readonly routes: RouteTable;
  readonly platform: 'express' | 'fastify';
}

/**
 * Which handler answers a request, told from Nest's metadata as Nest makes its routes from it. For explanations only:
 * real requests are matched by their router. Versions other than in the path and hosts are not looked at.
 */
export class RouteMatcher {
  readonly #templates: readonly Template[];
  readonly #isExpress: boolean;

  constructor(sources: RoutePathSources) {
    const isExpress = (this.#isExpress = sources.platform === 'express');
    const found = pathsIn(sources).flatMap((each) => {
      const matches = matcherOf(each.path, isExpress);
      return matches === undefined ? [] : [{ ...each, matches }];
    });
    // Express takes the first that fits. Fastify prefers a text to a parameter and both to a wildcard.
    this.#templates = isExpress ? found : found.toSorted((a, b) => compare(rank(a.path), rank(b.path)));
  }

  /** All paths, in the order in which they are tried. */
  get paths(): readonly RoutePath[] {
    return this.#templates;
  }

  find(method: string, path: string): MatchedRoute | undefined {
    for (const { matches, ...route } of this.#templates) {
      if (!answers(route.method, method)) continue;
      const result = matches(path);
      if (result !== false) return { ...route, params: this.#textsOf(result.params) };
    }
    return undefined;
  }

  /** Fastify has wildcards as one decoded text. */
  #textsOf(params: ParamData): ParamTexts {
    if (this.#isExpress) return paramTexts(params);
    const { '*': rest, ...others } = params;
    return rest === undefined ? paramTexts(others) : paramTexts({ ...others, '*': [rest].flat().join('/') });
  }

  /** Methods that some handler of this path has. */
  methodsAt(path: string): string[] {
    const found = this.#templates.filter(({ matches }) => matches(path) !== false);
    return [...new Set(found.map(({ method }) => method))];
  }
}

function answers(own: string, asked: string): boolean {
  return own === 'ALL' || own === asked || (own === 'GET' && asked === 'HEAD');
}

/** A path that only its own router understands explains nothing. */
function matcherOf(path: string, isExpress: boolean): MatchFunction<ParamData> | undefined {
  try {
    return match(modern(path, isExpress ? 'path' : '"*"'), { sensitive: !isExpress, trailing: isExpress });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** `*` and `:name?` as routers before path-to-regexp 8 have them. @param wildcard how the router calls the former */
function modern(path: string, wildcard: string): string {
  return path
    .replace(/\/:(\w+)\?/g, '{/:$1}')
    .replace(/\/\*(?=\/|$)/g, `/{*${wildcard}}`)
    .replace(/\(\.\*\)$/, `{*${wildcard}}`);
}

function rank(path: string): number[] {
  return path.split('/').map((part) => (part.includes('*') ? 2 : part.includes(':') ? 1 : 0));
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (let at = 0; at < Math.min(one.length, other.length); at++) {
    const difference = (one[at] as number) - (other[at] as number);
    if (difference !== 0) return difference;
  }
  return other.length - one.length;
}

function pathsIn({
  application,
  applicationId,
  controllers,
  methodsOf,
  routes,
}: RoutePathSources): RoutePath[] {
  const factory = new RoutePathFactory(application);
  const versioningOptions = application.getVersioning();
  const prefix = application.getGlobalPrefix();
  const globalPrefix = prefix === '' ? '' : slashed(prefix);
  const found: RoutePath[] = [];
  for (const wrapper of controllers) {
    const controller = wrapper.metatype as Type | null;
    if (!controller?.prototype || Reflect.getMetadata(PATH_METADATA, controller) === undefined) continue;
    const module = wrapper.host?.metatype;
    const modulePath = modulePathOf(module, applicationId);
    const controllerVersion = versionOf(controller, versioningOptions);
    for (const method of methodsOf(controller)) {
      const route = routes.named(controller, method);
      if (route === undefined) continue;
      const handler = controller.prototype[method] as object;
      const requestMethod = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod;
      for (const ctrlPath of pathsOf(controller)) {
        for (const methodPath of pathsOf(handler)) {
          const metadata = {
            ctrlPath: slashed(ctrlPath),
            methodPath: slashed(methodPath),
            globalPrefix,
            ...(modulePath !== undefined && { modulePath }),
            ...(controllerVersion !== undefined && { controllerVersion }),
            ...methodVersion(handler),
            ...(versioningOptions && { versioningOptions }),
          };
          for (const path of factory.create(metadata as PathParts, requestMethod))
            found.push({ route, method: RequestMethod[requestMethod], path });
        }
      }
    }
  }
  return found;
}

type PathParts = Parameters<RoutePathFactory['create']>[0];
type Version = NonNullable<PathParts['controllerVersion']>;

function versionOf(controller: Type, options: VersioningOptions | undefined): Version | undefined {
  if (options === undefined) return undefined;
  return (Reflect.getMetadata(VERSION_METADATA, controller) as Version | undefined) ?? options.defaultVersion;
}

function methodVersion(handler: object): { methodVersion?: Version } {
  const version = Reflect.getMetadata(VERSION_METADATA, handler) as Version | undefined;
  return version === undefined ? {} : { methodVersion: version };
}

function modulePathOf(module: unknown, applicationId: string): string | undefined {
  if (typeof module !== 'function') return undefined;
  return (
    (Reflect.getMetadata(MODULE_PATH + applicationId, module) as string | undefined) ??
    (Reflect.getMetadata(MODULE_PATH, module) as string | undefined)
  );
}

function slashed(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}
