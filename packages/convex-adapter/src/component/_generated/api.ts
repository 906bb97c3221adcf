/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type * as addresses from "../addresses.js";
import type * as callbacks from "../callbacks.js";
import type * as completion from "../completion.js";
import type * as defined from "../defined.js";
import type * as environment from "../environment.js";
import type * as find from "../find.js";
import type * as http from "../http.js";
import type * as job from "../job.js";
import type * as lib from "../lib.js";
import type * as link_end from "../link_end.js";
import type * as links from "../links.js";
import type * as notices from "../notices.js";
import type * as outgoing from "../outgoing.js";
import type * as pages from "../pages.js";
import type * as pauses from "../pauses.js";
import type * as polling from "../polling.js";
import type * as refusals from "../refusals.js";
import type * as request from "../request.js";
import type * as retention from "../retention.js";
import type * as server from "../server.js";
import type * as storing from "../storing.js";
import type * as submission from "../submission.js";
import type * as tombstones from "../tombstones.js";
import type * as view from "../view.js";
import type * as webhook from "../webhook.js";

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";
import { anyApi, componentsGeneric } from "convex/server";

const fullApi: ApiFromModules<{
  addresses: typeof addresses;
  callbacks: typeof callbacks;
  completion: typeof completion;
  defined: typeof defined;
  environment: typeof environment;
  find: typeof find;
  http: typeof http;
  job: typeof job;
  lib: typeof lib;
  link_end: typeof link_end;
  links: typeof links;
  notices: typeof notices;
  outgoing: typeof outgoing;
  pages: typeof pages;
  pauses: typeof pauses;
  polling: typeof polling;
  refusals: typeof refusals;
  request: typeof request;
  retention: typeof retention;
  server: typeof server;
  storing: typeof storing;
  submission: typeof submission;
  tombstones: typeof tombstones;
  view: typeof view;
  webhook: typeof webhook;
}> = anyApi as any;

/**
 * A utility for referencing Convex functions in your app's public API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
export const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
> = anyApi as any;

/**
 * A utility for referencing Convex functions in your app's internal API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = internal.myModule.myFunction;
 * ```
 */
export const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
> = anyApi as any;

export const components = componentsGeneric() as unknown as {};
