/* Orthanc plugin: transcodes through `dicodec serve`, wherever Orthanc would transcode by itself.
 *
 * Orthanc asks it for WADO-RS with a transfer syntax, C-MOVE to modalities that take others, and jobs
 * that transcode. Whatever it cannot do, or if the service is away, is left to the next transcoder.
 *
 * Environment:
 *   DICODEC_URL: address of the service; http://127.0.0.1:8765 if it is absent.
 *   DICODEC_TOKEN: token of the service, if it asks for one.
 */

#include <orthanc/OrthancCPlugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 4096
#define TIMEOUT 60 /* seconds */

static OrthancPluginContext *context;
static char base[1024];
static char authorization[1024];
static char *known; /* the service's transfer syntaxes, as JSON; NULL until it has answered */

/* Send a request; return whether it succeeded. If so, the caller frees the answer. */
static int ask(OrthancPluginMemoryBuffer *answer, OrthancPluginHttpMethod method, const char *url,
               const void *body, uint32_t size)
{
    const char *keys[] = {"Content-Type", "Authorization"};
    const char *values[] = {"application/dicom", authorization};
    uint16_t status = 0;

    /* Orthanc reports other statuses than 200 to 299 as errors, and logs them. */
    return OrthancPluginHttpClient(context, answer, NULL, &status, method, url,
                                   *authorization ? 2 : 1, keys, values, body, size, NULL, NULL,
                                   TIMEOUT, NULL, NULL, NULL, 0) == OrthancPluginErrorCode_Success;
}

/* Return whether the service writes a transfer syntax, by UID. Its list is asked for once. */
static int is_written(const char *uid)
{
    char quoted[80], url[LONGEST];

    if (known == NULL) {
        OrthancPluginMemoryBuffer answer;
        snprintf(url, sizeof url, "%s/api/syntaxes", base);
        if (!ask(&answer, OrthancPluginHttpMethod_Get, url, NULL, 0))
            return 0;
        char *list = malloc(answer.size + 1);
        if (list != NULL) {
            memcpy(list, answer.data, answer.size);
            list[answer.size] = '\0';
            /* Of two threads the first one wins. */
            if (!__sync_bool_compare_and_swap(&known, NULL, list))
                free(list);
        }
        OrthancPluginFreeMemoryBuffer(context, &answer);
        if (known == NULL)
            return 0;
    }
    return snprintf(quoted, sizeof quoted, "\"%s\"", uid) < (int)sizeof quoted &&
           strstr(known, quoted) != NULL;
}

/* Write the request's URL; return 0 if none of the syntaxes can be had. */
static int write_url(char *url, size_t room, const char *const *syntaxes, uint32_t count, int lossy)
{
    size_t used = (size_t)snprintf(url, room, "%s/api/convert?verify=true%s&to=", base,
                                   lossy ? "&lossy=true" : "");
    int found = 0;

    for (uint32_t i = 0; i < count && used < room; i++) {
        if (!is_written(syntaxes[i]))
            continue;
        used += (size_t)snprintf(url + used, room - used, "%s%s", found ? "," : "", syntaxes[i]);
        found = 1;
    }
    return found && used < room;
}

static OrthancPluginErrorCode transcode(OrthancPluginMemoryBuffer *transcoded, const void *buffer,
                                        uint64_t size, const char *const *syntaxes, uint32_t count,
                                        uint8_t may_lose)
{
    char url[LONGEST];

    if (size > UINT32_MAX || !write_url(url, sizeof url, syntaxes, count, may_lose))
        return OrthancPluginErrorCode_NotImplemented;
    if (ask(transcoded, OrthancPluginHttpMethod_Post, url, buffer, (uint32_t)size))
        return OrthancPluginErrorCode_Success;
    OrthancPluginLogWarning(context, "dicodec: an instance is left to the next transcoder, because "
                                     "the service is away or does not convert it");
    return OrthancPluginErrorCode_NotImplemented;
}

ORTHANC_PLUGINS_API int32_t OrthancPluginInitialize(OrthancPluginContext *given)
{
    const char *url = getenv("DICODEC_URL"), *token = getenv("DICODEC_TOKEN");

    context = given;
    if (OrthancPluginCheckVersion(context) == 0)
        return -1;
    snprintf(base, sizeof base, "%s", url ? url : "http://127.0.0.1:8765");
    for (size_t end = strlen(base); end > 0 && base[end - 1] == '/'; end--)
        base[end - 1] = '\0';
    if (token != NULL)
        snprintf(authorization, sizeof authorization, "Bearer %s", token);
    OrthancPluginSetDescription(context, "Transcodes through a dicodec service.");
    return OrthancPluginRegisterTranscoderCallback(context, transcode);
}

ORTHANC_PLUGINS_API void OrthancPluginFinalize(void) { free(known); }

ORTHANC_PLUGINS_API const char *OrthancPluginGetName(void) { return "dicodec"; }

ORTHANC_PLUGINS_API const char *OrthancPluginGetVersion(void) { return "1"; }
