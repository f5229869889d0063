/*
 * lhist.c - class aio.hist: a histogram of durations in nanoseconds
 *
 * The counting is hist.c; here are its Lua face and its three output forms.
 * The hgrm text is the percentile distribution that HdrHistogram's plotters
 * read.
 */
#include "lhist.h"

#include <math.h>
#include <stdio.h>

#include "alua.h"
#include "open.h"

typedef struct LuaHist {
    AluaObject object;
    Hist hist;
} LuaHist;

static const AluaClass hist_class;

static Hist *hist_check(lua_State *L, int arg)
{
    LuaHist *self = alua_check(L, arg, &hist_class);

    return &self->hist;
}

/**
 * class Hist (hist)
 *
 * A histogram of durations.
 */

/**
 * aio.hist() -> Hist
 *
 * A histogram of durations in nanoseconds, empty.
 */
static int hist_new(lua_State *L)
{
    alua_new(L, &hist_class, sizeof(LuaHist), 0);
    return 1;
}

void lhist_push(lua_State *L, const Hist *h)
{
    LuaHist *self = alua_new(L, &hist_class, sizeof(*self), 0);

    if (!hist_merge(&self->hist, h)) {
        luaL_error(L, "not enough memory");
    }
}

/* Nanoseconds at @arg: an integer, or a float, which is rounded. */
static int64_t check_ns(lua_State *L, int arg)
{
    int is_integer;
    lua_Integer ns = lua_tointegerx(L, arg, &is_integer);

    if (!is_integer) {
        lua_Number n = luaL_checknumber(L, arg);

        luaL_argcheck(L, n >= 0 && n < 0x1p63, arg, "out of range");
        ns = (lua_Integer)(n + 0.5);
    }
    luaL_argcheck(L, ns >= 0, arg, "a duration cannot be negative");
    return ns;
}

/**
 * hist:record(ns: number, count?: integer) -> Hist
 *
 * Counts a duration (a float is rounded), `count` times.
 */
static int hist_add(lua_State *L)
{
    Hist *h = hist_check(L, 1);
    int64_t ns = check_ns(L, 2);
    lua_Integer count = luaL_optinteger(L, 3, 1);

    luaL_argcheck(L, count >= 0, 3, "count cannot be negative");
    if (!hist_record(h, ns, (uint64_t)count)) {
        return luaL_error(L, "not enough memory");
    }
    lua_settop(L, 1);
    return 1;
}

/**
 * hist:percentile(p: number) -> integer|nil
 *
 * Nanoseconds that `p` percent (0 to 100) do not exceed, to 1 %; exactly for 0
 * and 100. `nil` when it is empty.
 */
static int hist_get_percentile(lua_State *L)
{
    Hist *h = hist_check(L, 1);
    lua_Number p = luaL_checknumber(L, 2);

    luaL_argcheck(L, p >= 0 && p <= 100, 2, "a percentile is 0 to 100");
    if (h->total) {
        lua_pushinteger(L, hist_percentile(h, p));
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/**
 * hist:merge(other: Hist) -> Hist
 *
 * Counts everything that the other one has counted.
 */
static int hist_add_all(lua_State *L)
{
    Hist *h = hist_check(L, 1);

    if (!hist_merge(h, hist_check(L, 2))) {
        return luaL_error(L, "not enough memory");
    }
    lua_settop(L, 1);
    return 1;
}

/**
 * hist:reset() -> Hist
 *
 * Forgets everything.
 */
static int hist_clear(lua_State *L)
{
    hist_reset(hist_check(L, 1));
    lua_settop(L, 1);
    return 1;
}

/**
 * hist:count() -> integer
 * #hist -> integer
 *
 * How many durations were recorded.
 */
static int hist_count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)hist_check(L, 1)->total);
    return 1;
}

static int push_if_any(lua_State *L, const Hist *h, double value)
{
    if (h->total) {
        lua_pushnumber(L, value);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int hist_get_mean(lua_State *L)
{
    Hist *h = hist_check(L, 1);

    return push_if_any(L, h, hist_mean(h));
}

static int hist_get_stddev(lua_State *L)
{
    Hist *h = hist_check(L, 1);

    return push_if_any(L, h, hist_stddev(h));
}

/**
 * hist:min() -> integer|nil
 * hist:max() -> integer|nil
 * hist:mean() -> number|nil
 * hist:stddev() -> number|nil
 *
 * Nanoseconds, exact. `nil` when it is empty.
 */
static int hist_get_min(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushinteger(L, 0);
    return hist_get_percentile(L);
}

static int hist_get_max(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushinteger(L, 100);
    return hist_get_percentile(L);
}

/* Three digits and a unit: 999ns, 12.3us, 1.20s. */
static void add_duration(luaL_Buffer *b, const char *label, double ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    char text[48];
    int unit = 0;
    int digits;

    while (ns >= 999.5 && unit < 3) {
        ns /= 1000;
        unit++;
    }
    digits = unit == 0 || ns >= 99.95 ? 0 : ns >= 9.995 ? 1 : 2;
    snprintf(text, sizeof(text), " %s=%.*f%s", label, digits, ns, units[unit]);
    luaL_addstring(b, text);
}

/**
 * hist:summary(label?: string) -> string
 *
 * One line: `"label: n=1000 mean=12.3us p50=... p90=... p99=... p99.9=...
 * max=..."`.
 */
static int hist_summary(lua_State *L)
{
    static const struct {
        const char *label;
        double p;
    } columns[] = {{"min", 0},  {"p50", 50},     {"p90", 90},
                   {"p99", 99}, {"p99.9", 99.9}, {"max", 100}};
    Hist *h = hist_check(L, 1);
    const char *label = luaL_optstring(L, 2, NULL);
    luaL_Buffer b;
    char text[32];

    luaL_buffinit(L, &b);
    if (label) {
        luaL_addstring(&b, label);
        luaL_addstring(&b, ": ");
    }
    snprintf(text, sizeof(text), "n=%llu", (unsigned long long)h->total);
    luaL_addstring(&b, text);
    if (h->total) {
        add_duration(&b, "mean", hist_mean(h));
        for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
            add_duration(&b, columns[i].label,
                         (double)hist_percentile(h, columns[i].p));
        }
    }
    luaL_pushresult(&b);
    return 1;
}

static void add_hgrm_row(luaL_Buffer *b, const Hist *h, int64_t value,
                         uint64_t seen)
{
    double part = (double)seen / (double)h->total;
    char text[96];
    int n;

    n = snprintf(text, sizeof(text), "%12.3f %2.12f %10llu", (double)value,
                 part, (unsigned long long)seen);
    if (seen < h->total) {
        snprintf(text + n, sizeof(text) - (size_t)n, " %14.2f", 1 / (1 - part));
    }
    luaL_addstring(b, text);
    luaL_addchar(b, '\n');
}

/**
 * hist:hgrm() -> string
 *
 * The percentile distribution for the plotters of HdrHistogram, in
 * nanoseconds.
 */
static int hist_hgrm(lua_State *L)
{
    Hist *h = hist_check(L, 1);
    uint64_t seen = 0;
    char text[256];
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    luaL_addstring(&b, "       Value     Percentile TotalCount "
                       "1/(1-Percentile)\n\n");
    for (uint32_t i = 0; i < h->size && seen < h->total; i++) {
        if (h->counts[i]) {
            int64_t end = hist_bucket_end(i);

            seen += h->counts[i];
            add_hgrm_row(&b, h, end < h->max ? end : h->max, seen);
        }
    }
    snprintf(text, sizeof(text),
             "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
             "#[Max     = %12.3f, Total count    = %12llu]\n"
             "#[Buckets = %12u, SubBuckets     = %12d]\n",
             hist_mean(h), hist_stddev(h), h->total ? (double)h->max : 0.0,
             (unsigned long long)h->total, h->size / 128, 128);
    luaL_addstring(&b, text);
    luaL_pushresult(&b);
    return 1;
}

static void add_json_buckets(luaL_Buffer *b, const Hist *h)
{
    const char *comma = "";
    char text[64];

    for (uint32_t i = 0; i < h->size; i++) {
        if (h->counts[i]) {
            snprintf(text, sizeof(text), "%s[%lld,%llu]", comma,
                     (long long)hist_bucket_end(i),
                     (unsigned long long)h->counts[i]);
            luaL_addstring(b, text);
            comma = ",";
        }
    }
}

/**
 * hist:json() -> string
 *
 * An object with `unit`, `count`, `min`, `max`, `mean`, `stddev`, `p50`,
 * `p90`, `p99`, `p999` and `buckets`, a list of [upper bound, count].
 */
static int hist_json(lua_State *L)
{
    Hist *h = hist_check(L, 1);
    char text[320];
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    snprintf(
        text, sizeof(text),
        "{\"unit\":\"ns\",\"count\":%llu,\"min\":%lld,\"max\":%lld,"
        "\"mean\":%.1f,\"stddev\":%.1f,\"p50\":%lld,\"p90\":%lld,"
        "\"p99\":%lld,\"p999\":%lld,\"buckets\":[",
        (unsigned long long)h->total, (long long)hist_percentile(h, 0),
        (long long)hist_percentile(h, 100), hist_mean(h), hist_stddev(h),
        (long long)hist_percentile(h, 50), (long long)hist_percentile(h, 90),
        (long long)hist_percentile(h, 99), (long long)hist_percentile(h, 99.9));
    luaL_addstring(&b, text);
    add_json_buckets(&b, h);
    luaL_addstring(&b, "]}");
    luaL_pushresult(&b);
    return 1;
}

static int hist_gc(lua_State *L)
{
    hist_free(hist_check(L, 1));
    return 0;
}

static int hist_tostring(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushliteral(L, "aio.hist");
    return hist_summary(L);
}

static const luaL_Reg hist_methods[] = {
    {"record", hist_add},
    {"percentile", hist_get_percentile},
    {"merge", hist_add_all},
    {"reset", hist_clear},
    {"count", hist_count},
    {"mean", hist_get_mean},
    {"stddev", hist_get_stddev},
    {"min", hist_get_min},
    {"max", hist_get_max},
    {"summary", hist_summary},
    {"hgrm", hist_hgrm},
    {"json", hist_json},
    {NULL, NULL},
};

static const luaL_Reg hist_metamethods[] = {
    {"__gc", hist_gc},
    {"__len", hist_count},
    {"__tostring", hist_tostring},
    {NULL, NULL},
};

static const AluaClass hist_class = {
    .name = "aio.hist",
    .methods = hist_methods,
    .metamethods = hist_metamethods,
};

static const luaL_Reg hist_functions[] = {
    {"hist", hist_new},
    {NULL, NULL},
};

void lhist_open(lua_State *L)
{
    alua_class(L, &hist_class);
    alua_setfuncs(L, hist_functions);
}
