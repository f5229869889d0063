# Functions that declare tests.  Several build trees can be run as one ctest
# tree (./dev test), so the names of a sanitized tree carry its preset.  Label
# "full": too slow for every push, only run by ./dev test --full.  The rest is
# all of the plain tree, under ASan what is not a variant of a machine, and
# under TSan what is about threads, on the best monitor.
if(AIOCTL_SANITIZE MATCHES "address")
  set(AIOCTL_TEST_PREFIX "asan.")
elseif(AIOCTL_SANITIZE MATCHES "thread")
  set(AIOCTL_TEST_PREFIX "tsan.")
else()
  set(AIOCTL_TEST_PREFIX "")
endif()
set(AIOCTL_LSAN_SUPPRESSIONS ${CMAKE_SOURCE_DIR}/spec/support/lsan.supp)
set(AIOCTL_TEST_ENVIRONMENT
  "AIOCTL_BUILD=${CMAKE_BINARY_DIR}"
  "ASAN_OPTIONS=exitcode=99:detect_stack_use_after_return=0"
  "LSAN_OPTIONS=print_suppressions=0:suppressions=${AIOCTL_LSAN_SUPPRESSIONS}"
  "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1"
  "TSAN_OPTIONS=exitcode=66:second_deadlock_stack=1")
set(AIOCTL_THREADED_CORE "^(stress_.*|.*thread.*|notify|coschedule|aio_wait|\
pool_.*|event_notifier|lock_rules|graph_lock)_test$")
set(AIOCTL_THREADED_LUA "^(lua\\.(cross|iothread|iothread_end|offload|park|\
places|sharedchan|soak|trace)|regress\\.005_.*)$")
find_program(VALGRIND valgrind)
find_program(BUSTED busted)

# aioctl_test_labels(NAME LABEL [full]): properties that every test has.
function(aioctl_test_labels name)
  set_tests_properties(${name} PROPERTIES LABELS "${ARGN}"
    SKIP_RETURN_CODE 77 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()

# Valgrind 3.19 does not know that io_uring_enter() blocks: whoever waits in it
# stops every other thread.  So no io_uring there; ring_test would have nothing
# left to do, and budgets of microseconds (busypoll*_test) mean nothing.  The
# sweep of the modules would take half an hour; ASan sees what it finds.
set(AIOCTL_VALGRIND_ENVIRONMENT "AIOCTL_TEST_SLOW=1;AIOCTL_NO_IO_URING=1")
set(AIOCTL_VALGRIND_SKIPS
  "^(ring|busypoll|busypoll_home|lua_fault_modules)_test$")

# aioctl_c_program(NAME SOURCES...): a program that is a test, one ctest entry,
# and in a plain tree one more under valgrind.
function(aioctl_c_program name)
  add_executable(${name} ${ARGN})
  if(AIOCTL_LTO)
    target_link_options(${name} PRIVATE -fno-lto)
  endif()
  set(test ${AIOCTL_TEST_PREFIX}core.${name})
  add_test(NAME ${test} COMMAND ${name})
  set_tests_properties(${test} PROPERTIES TIMEOUT 120
    ENVIRONMENT "${AIOCTL_TEST_ENVIRONMENT}")
  if(AIOCTL_SANITIZE MATCHES "thread"
     AND NOT name MATCHES "${AIOCTL_THREADED_CORE}")
    aioctl_test_labels(${test} core full)
  else()
    aioctl_test_labels(${test} core)
  endif()
  if(VALGRIND AND NOT AIOCTL_SANITIZE
     AND NOT name MATCHES "${AIOCTL_VALGRIND_SKIPS}")
    add_test(NAME valgrind.core.${name} COMMAND ${VALGRIND} -q
      --fair-sched=try --error-exitcode=9
      --leak-check=full --errors-for-leak-kinds=definite
      $<TARGET_FILE:${name}>)
    set_tests_properties(valgrind.core.${name} PROPERTIES TIMEOUT 600
      ENVIRONMENT "${AIOCTL_TEST_ENVIRONMENT};${AIOCTL_VALGRIND_ENVIRONMENT}")
    aioctl_test_labels(valgrind.core.${name} valgrind full)
  endif()
endfunction()

# aioctl_c_spec(NAME SOURCES...): one that uses spec/core/test.h.
function(aioctl_c_spec name)
  aioctl_c_program(${name} ${ARGN})
  target_link_libraries(${name}
    PRIVATE aioctl_core aioctl_test_main aioctl_flags)
endfunction()

# aioctl_c_spec_refused(NAME VARIANT SETTING...): the same program once more, on
# a machine that pretends to lack something.
function(aioctl_c_spec_refused name variant)
  set(test ${AIOCTL_TEST_PREFIX}core.${name}@${variant})
  add_test(NAME ${test} COMMAND ${name})
  set_tests_properties(${test} PROPERTIES TIMEOUT 120
    ENVIRONMENT "${AIOCTL_TEST_ENVIRONMENT};${ARGN}")
  if(AIOCTL_SANITIZE)
    aioctl_test_labels(${test} core full)
  else()
    aioctl_test_labels(${test} core)
  endif()
endfunction()

# aioctl_c_spec_on_monitors(NAME): the same program once more on each fd
# monitor.
function(aioctl_c_spec_on_monitors name)
  target_sources(${name} PRIVATE core/on_monitor.c)
  aioctl_c_spec_wrap(${name} aio_poll)
  foreach(monitor poll epoll io_uring)
    aioctl_c_spec_refused(${name} ${monitor} AIOCTL_TEST_FDMON=${monitor})
  endforeach()
endfunction()

# aioctl_c_spec_wrap(NAME FUNCTION...): calls of FUNCTION from other files than
# its own go to __wrap_FUNCTION(), which the test defines.
function(aioctl_c_spec_wrap name)
  list(TRANSFORM ARGN PREPEND "-Wl,--wrap=")
  target_link_options(${name} PRIVATE ${ARGN})
endfunction()

# aioctl_lua_spec(FILE MONITOR [SETTING]): a busted file inside the built host.
# MONITOR names the fd monitor that contexts use, or is "once" where it does not
# matter.  SETTING is AIOCTL_NAME=VALUE.
function(aioctl_lua_spec file monitor)
  file(RELATIVE_PATH stem ${CMAKE_SOURCE_DIR}/spec ${file})
  string(REGEX REPLACE "_spec\\.lua$" "" stem ${stem})
  string(REPLACE "/" "." stem ${stem})
  set(test ${AIOCTL_TEST_PREFIX}${stem})
  set(environment ${AIOCTL_TEST_ENVIRONMENT} "AIOCTL=$<TARGET_FILE:aioctl>")
  if(NOT monitor STREQUAL "once")
    set(test ${test}@${monitor})
    list(APPEND environment "AIOCTL_FDMON=${monitor}")
  endif()
  foreach(setting ${ARGN})
    string(REGEX MATCH "_([A-Z]+)=" word ${setting})
    string(TOLOWER ${CMAKE_MATCH_1} word)
    set(test ${test}+${word})
    list(APPEND environment "${setting}")
  endforeach()
  add_test(NAME ${test}
    COMMAND ${BUSTED} --lua=$<TARGET_FILE:aioctl> -o TAP ${file})
  set_tests_properties(${test} PROPERTIES TIMEOUT 300
    ENVIRONMENT "${environment}")
  set(labels lua)
  if(AIOCTL_SANITIZE AND (ARGN OR NOT monitor STREQUAL "io_uring"))
    list(APPEND labels full)
  elseif(AIOCTL_SANITIZE MATCHES "thread"
      AND NOT stem MATCHES "${AIOCTL_THREADED_LUA}")
    list(APPEND labels full)
  endif()
  aioctl_test_labels(${test} ${labels})
endfunction()
