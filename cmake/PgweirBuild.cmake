# What every target of the tree shares: the language, the warnings, the sanitizers, and one way to declare a library.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

option(PGWEIR_STRICT "Treat the house's warnings as errors" OFF)
option(PGWEIR_FUZZ "Build the fuzz targets with libFuzzer (clang only)" OFF)
set(PGWEIR_SANITIZE "" CACHE STRING "Sanitizers for the whole tree, as -fsanitize= takes them")
option(PGWEIR_COVERAGE "Instrument for gcov" OFF)

find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBEVENT REQUIRED IMPORTED_TARGET libevent_core libevent_extra libevent_pthreads)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(LIBCURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(LIBIDN REQUIRED IMPORTED_TARGET libidn)
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)

add_library(pgweir_flags INTERFACE)
target_compile_definitions(pgweir_flags INTERFACE _GNU_SOURCE PGWEIR_VERSION="${PROJECT_VERSION}")
target_compile_options(pgweir_flags INTERFACE -fno-strict-aliasing -fstack-protector-strong)
if(PGWEIR_STRICT)
  target_compile_options(pgweir_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wformat=2 -Wundef -Wvla -Werror)
endif()
if(PGWEIR_SANITIZE)
  target_compile_options(pgweir_flags INTERFACE -fsanitize=${PGWEIR_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(pgweir_flags INTERFACE -fsanitize=${PGWEIR_SANITIZE})
endif()
if(PGWEIR_COVERAGE)
  # Threads count at once; otherwise counts come out negative, and gcov stumbles over them.
  target_compile_options(pgweir_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(pgweir_flags INTERFACE --coverage)
endif()

# pgweir_library(NAME SOURCES a.c … [PUBLIC target …] [PRIVATE target …])
# Public headers lie in include/pgweir/ of the calling folder; private ones beside the sources.
function(pgweir_library name)
  cmake_parse_arguments(LIB "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${LIB_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${LIB_PUBLIC} PRIVATE pgweir_flags ${LIB_PRIVATE})
endfunction()

# pgweir_unit_test(NAME SOURCES a.c … LIBS target …): one cmocka program, one ctest entry.
function(pgweir_unit_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;LIBS;INCLUDES" ${ARGN})
  if(NOT CMOCKA_FOUND)
    return()
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${TEST_INCLUDES})
  target_link_libraries(${name} PRIVATE pgweir_flags ${TEST_LIBS} PkgConfig::CMOCKA)
  add_test(NAME ${name} COMMAND ${name})
endfunction()
