/* version.h - the version of the headers and of the library.
 *
 *     #if TG_VERSION_MAJOR == 0 && TG_VERSION_MINOR < 2        // of the headers
 *     if (strcmp(tg_version(), TG_VERSION)) ...                // the shared library has another version
 *
 * Until 1.0 a new minor version may change the interface; a new patch version does not. */
#ifndef TG_VERSION_H
#define TG_VERSION_H
#ifdef __cplusplus
extern "C" {
#endif

#define TG_VERSION_MAJOR 0 /* CMakeLists.txt reads these three */
#define TG_VERSION_MINOR 1
#define TG_VERSION_PATCH 0

#define TG_VERSION_JOIN_(major, minor, patch) #major "." #minor "." #patch
#define TG_VERSION_TEXT_(major, minor, patch) TG_VERSION_JOIN_(major, minor, patch)
#define TG_VERSION                            TG_VERSION_TEXT_(TG_VERSION_MAJOR, TG_VERSION_MINOR, TG_VERSION_PATCH) /* "0.1.0" */

/* The version of the library at run time: TG_VERSION when it was built.  A static string. */
const char *tg_version(void);

#ifdef __cplusplus
}
#endif
#endif
