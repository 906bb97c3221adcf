/* eslint-disable */
/**
 * Generated `ComponentApi` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type { FunctionReference } from "convex/server";

/**
 * A utility for referencing a Convex component's exposed API.
 *
 * Useful when expecting a parameter like `components.myComponent`.
 * Usage:
 * ```ts
 * async function myFunction(ctx: QueryCtx, component: ComponentApi) {
 *   return ctx.runQuery(component.someFile.someQuery, { ...args });
 * }
 * ```
 */
export type ComponentApi<Name extends string | undefined = string | undefined> =
  {
    lib: {
      cancel: FunctionReference<
        "mutation",
        "internal",
        { jobId: string; userId?: string },
        boolean,
        Name
      >;
      countOpen: FunctionReference<
        "query",
        "internal",
        { userId: string },
        number,
        Name
      >;
      create: FunctionReference<
        "mutation",
        "internal",
        {
          context?: any;
          duration?: number;
          imageDelivery?: "auto" | "url" | "bytes";
          imageUrl?: string;
          maxAttempts?: number;
          onComplete?: string;
          onEvent?: string;
          prompt?: string;
          settings?: {
            end_image_url?: string;
            end_upload_id?: string;
            fps?: number;
            guidance_scale?: number;
            height?: number;
            image_crf?: number;
            image_strength?: number;
            images?: Array<{
              at?: "start" | "end";
              frame?: number;
              image_url?: string;
              seconds?: number;
              strength?: number;
              upload_id?: string;
            }>;
            metadata?: Record<string, any>;
            model?: string;
            negative_prompt?: string;
            seed?: number;
            steps?: number;
            width?: number;
          };
          sourceImageId?: string;
          storeVideo?: string;
          userId: string;
          webhookUrl?: string;
        },
        string,
        Name
      >;
      freshVideoUrl: FunctionReference<
        "action",
        "internal",
        { jobId: string; userId?: string },
        string | null,
        Name
      >;
      get: FunctionReference<
        "query",
        "internal",
        { jobId: string; userId?: string },
        {
          _creationTime: number;
          _id: string;
          callback_error?: string;
          completedAt?: number;
          context?: any;
          createdAt: number;
          durationSeconds: number;
          errorCode?: string;
          errorMessage?: string;
          externalJobId?: string;
          linksExpireAt?: number;
          notice?: string;
          notices?: Array<string>;
          outputVideoUrl?: string;
          posterUrl?: string;
          progress?: number;
          prompt?: string;
          queuePosition?: number;
          settings: {
            end_image_url?: string;
            end_upload_id?: string;
            fps?: number;
            guidance_scale?: number;
            height?: number;
            image_crf?: number;
            image_strength?: number;
            images?: Array<{
              at?: "start" | "end";
              frame?: number;
              image_url?: string;
              seconds?: number;
              strength?: number;
              upload_id?: string;
            }>;
            metadata?: Record<string, any>;
            model?: string;
            negative_prompt?: string;
            seed?: number;
            steps?: number;
            width?: number;
          };
          sourceImageId?: string;
          stage?: "fetching" | "generating" | "uploading";
          status:
            | "uploading"
            | "queued"
            | "processing"
            | "completed"
            | "failed"
            | "canceled";
          storeError?: string;
          userId: string;
          videoStorageId?: string;
        } | null,
        Name
      >;
      listByUser: FunctionReference<
        "query",
        "internal",
        {
          paginationOpts: {
            cursor: string | null;
            endCursor?: string | null;
            id?: number;
            maximumBytesRead?: number;
            maximumRowsRead?: number;
            numItems: number;
          };
          userId: string;
        },
        {
          continueCursor: string;
          isDone: boolean;
          page: Array<{
            _creationTime: number;
            _id: string;
            callback_error?: string;
            completedAt?: number;
            context?: any;
            createdAt: number;
            durationSeconds: number;
            errorCode?: string;
            errorMessage?: string;
            externalJobId?: string;
            linksExpireAt?: number;
            notice?: string;
            notices?: Array<string>;
            outputVideoUrl?: string;
            posterUrl?: string;
            progress?: number;
            prompt?: string;
            queuePosition?: number;
            settings: {
              end_image_url?: string;
              end_upload_id?: string;
              fps?: number;
              guidance_scale?: number;
              height?: number;
              image_crf?: number;
              image_strength?: number;
              images?: Array<{
                at?: "start" | "end";
                frame?: number;
                image_url?: string;
                seconds?: number;
                strength?: number;
                upload_id?: string;
              }>;
              metadata?: Record<string, any>;
              model?: string;
              negative_prompt?: string;
              seed?: number;
              steps?: number;
              width?: number;
            };
            sourceImageId?: string;
            stage?: "fetching" | "generating" | "uploading";
            status:
              | "uploading"
              | "queued"
              | "processing"
              | "completed"
              | "failed"
              | "canceled";
            storeError?: string;
            userId: string;
            videoStorageId?: string;
          }>;
          pageStatus?: "SplitRecommended" | "SplitRequired" | null;
          splitCursor?: string | null;
        },
        Name
      >;
      remove: FunctionReference<
        "mutation",
        "internal",
        { jobId: string; userId?: string },
        boolean,
        Name
      >;
    };
    links: {
      freshLinks: FunctionReference<
        "action",
        "internal",
        { jobId: string; userId?: string },
        { posterUrl?: string; videoUrl?: string } | null,
        Name
      >;
      renew: FunctionReference<
        "mutation",
        "internal",
        { jobId: string; userId?: string },
        boolean,
        Name
      >;
    };
    retention: {
      cleanUp: FunctionReference<
        "mutation",
        "internal",
        { olderThan: number },
        number,
        Name
      >;
      removeUser: FunctionReference<
        "mutation",
        "internal",
        { userId: string },
        {
          copies: Array<string>;
          isDone: boolean;
          pictures: Array<string>;
          removed: number;
        },
        Name
      >;
    };
    storing: {
      copyByServer: FunctionReference<
        "action",
        "internal",
        { jobId: string; maxBytes: number; uploadUrl: string },
        { storageId: string } | { error: string; retryable: boolean } | null,
        Name
      >;
      videoNotStored: FunctionReference<
        "mutation",
        "internal",
        { attempt: number; error: string; jobId: string; retryable: boolean },
        null,
        Name
      >;
      videoStored: FunctionReference<
        "mutation",
        "internal",
        { jobId: string; storageId: string },
        boolean,
        Name
      >;
    };
    webhook: {
      receiveWebhook: FunctionReference<
        "action",
        "internal",
        { body: string; headers: Record<string, string>; jobId?: string },
        { body: string; retryAfter?: number; status: number },
        Name
      >;
    };
  };
