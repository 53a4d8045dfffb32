# Where things are installed, and the Debian package: `make package`. Manual pages and completions are made by the program
# itself, at the time of installing.

include(GNUInstallDirs)

install(TARGETS pgweir RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

set(PGWEIR_MADE ${CMAKE_BINARY_DIR}/made)
install(CODE "
  function(pgweir_make output)
    execute_process(COMMAND \"$<TARGET_FILE:pgweir>\" \${ARGN} OUTPUT_FILE \"${PGWEIR_MADE}/\${output}\" COMMAND_ERROR_IS_FATAL ANY)
  endfunction()
  file(REMOVE_RECURSE \"${PGWEIR_MADE}\")
  file(MAKE_DIRECTORY \"${PGWEIR_MADE}\")
  foreach(page pgweir.1 pgweir.ini.5 pgweir-console.7)
    pgweir_make(\${page} describe man \${page})
    execute_process(COMMAND gzip -9n \"${PGWEIR_MADE}/\${page}\" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  pgweir_make(pgweir completion bash)
  pgweir_make(_pgweir completion zsh)
  pgweir_make(pgweir.fish completion fish)
  string(TIMESTAMP now \"%a, %d %b %Y %H:%M:%S +0000\" UTC)
  file(WRITE \"${PGWEIR_MADE}/changelog\" \"pgweir (${PROJECT_VERSION}) unstable; urgency=medium\n\n\"
    \"  * See CHANGELOG.md.\n\n -- pgweir developers <pgweir@example.org>  \${now}\n\")
  execute_process(COMMAND gzip -9n \"${PGWEIR_MADE}/changelog\" COMMAND_ERROR_IS_FATAL ANY)
  configure_file(\"${CMAKE_SOURCE_DIR}/CHANGELOG.md\" \"${PGWEIR_MADE}/CHANGELOG.md\" COPYONLY)
  execute_process(COMMAND gzip -9n \"${PGWEIR_MADE}/CHANGELOG.md\" COMMAND_ERROR_IS_FATAL ANY)
")
install(FILES ${PGWEIR_MADE}/pgweir.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${PGWEIR_MADE}/pgweir.ini.5.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${PGWEIR_MADE}/pgweir-console.7.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
install(FILES ${PGWEIR_MADE}/pgweir DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${PGWEIR_MADE}/_pgweir DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${PGWEIR_MADE}/pgweir.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES ${PGWEIR_MADE}/changelog.gz ${PGWEIR_MADE}/CHANGELOG.md.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pgweir)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pgweir RENAME copyright)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pgweir FILES_MATCHING
  PATTERN "*.md" PATTERN "*.png" PATTERN "*.svg")

# /etc and the units are the package's business: an installation by hand must not replace what is there.
option(PGWEIR_PACKAGE "Install what belongs to the Debian package alone" OFF)
if(PGWEIR_PACKAGE)
  install(FILES deploy/debian/pgweir.ini deploy/debian/userlist.txt DESTINATION /etc/pgweir
    PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
  install(FILES deploy/systemd/pgweir.service deploy/systemd/pgweir.socket DESTINATION lib/systemd/system)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pgweir)
set(CPACK_PACKAGE_CONTACT "pgweir developers <pgweir@example.org>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "connection-pooling proxy for PostgreSQL")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Applications connect to pgweir instead of the database. It keeps a small
number of server connections and lends them out, one transaction at a time;
settings and prepared statements follow the client.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql-client")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/debian/conffiles ${CMAKE_SOURCE_DIR}/deploy/debian/postinst
  ${CMAKE_SOURCE_DIR}/deploy/debian/prerm ${CMAKE_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_STRIP_FILES ON)
include(CPack)
